import type { Page } from 'playwright-core';

/*
 * What is wrong with how a page looks and reads, as a browser has laid it out. Scripts for it, as text: they run over
 * there.
 */

/** Words that are broken between two lines. What has no words (code, bytes, names that people gave themselves) is marked. */
export function brokenWords(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const broken = [];
    for (const node of texts()) {
      const breaks = getComputedStyle(node.parentElement).overflowWrap === 'anywhere';
      for (const word of breaks ? [] : node.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
        const range = document.createRange();
        range.setStart(node, word.index);
        range.setEnd(node, word.index + word[0].length);
        const lines = new Set([...range.getClientRects()].filter(({ width }) => width > 0).map(({ top }) => top));
        if (lines.size > 1) broken.push(word[0]);
      }
    }
    return broken;
    ${TEXTS}
  })()`);
}

/** Text whose contrast with what is behind it is below what WCAG 2.2, 1.4.3 asks for: 4.5, of large text 3. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const faint = [];
    for (const node of texts()) {
      const style = getComputedStyle(node.parentElement);
      const behind = groundOf(node.parentElement);
      const ratio = contrast(over(parse(style.color), behind), behind);
      const size = Number.parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? 3 : 4.5)) faint.push(node.data.trim() + ': ' + ratio.toFixed(2));
    }
    return faint;

    function groundOf(element) {
      if (element === null) return parse(getComputedStyle(document.documentElement).colorScheme === 'dark' ? '0 0 0' : '255 255 255');
      const own = parse(getComputedStyle(element).backgroundColor);
      return own[3] === 1 ? own : over(own, groundOf(element.parentElement));
    }
    function parse(color) {
      const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
      return [r, g, b, a];
    }
    function over([r, g, b, a], [r2, g2, b2]) {
      return [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];
    }
    function luminance(color) {
      const [r, g, b] = color.slice(0, 3).map((one) => {
        const part = one / 255;
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    }
    function contrast(one, other) {
      const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
      return (light + 0.05) / (dark + 0.05);
    }
    ${TEXTS}
  })()`);
}

/** What breaks the outline for those who listen to a page: headings, names of what can be used, addresses twice. */
export function unnamedParts(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const faults = [];
    const headings = [...document.querySelectorAll('h1, h2, h3, h4')];
    const levels = headings.map(({ tagName }) => Number(tagName[1]));
    if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) faults.push('h1: ' + levels.join(' '));
    levels.forEach((level, index) => {
      if (index > 0 && level > levels[index - 1] + 1) faults.push('skipped: ' + headings[index].textContent);
    });
    for (const input of document.querySelectorAll('input:not([type=hidden]), progress')) {
      if (!input.labels?.length) faults.push('no label: ' + input.outerHTML);
    }
    for (const one of document.querySelectorAll('a, button')) {
      if (one.textContent.trim() === '') faults.push('no name: ' + one.outerHTML);
    }
    const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
    faults.push(...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => 'twice: ' + id));
    for (const name of ['aria-labelledby', 'aria-describedby']) {
      for (const one of document.querySelectorAll('[' + name + ']')) {
        if (!ids.includes(one.getAttribute(name))) faults.push(name + ' leads nowhere: ' + one.outerHTML);
      }
    }
    return faults;
  })()`);
}

/** The texts of a page that are shown. */
const TEXTS = `function texts() {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const isHidden = node.parentElement.closest('.visually-hidden, .skip-link, thead') !== null;
    if (!isHidden && node.data.trim() !== '' && node.parentElement.checkVisibility()) found.push(node);
  }
  return found;
}`;
