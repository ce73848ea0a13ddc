import { CONTENDERS } from './contenders.js';
import { type Line, linesOf, type ScenarioResult } from './results.js';

const THEMES = {
  light: { ink: '#1f2328', faint: '#d0d7de', ours: '#0969da', peer: '#8c959f', paper: '#ffffff' },
  dark: { ink: '#e6edf3', faint: '#30363d', ours: '#4493f8', peer: '#7d8590', paper: '#0d1117' },
} as const;

/** What is no session, or no storage. */
const LEFT_OUT: readonly string[] = ['empty', 'ours-memory'];

const [WIDTH, ROW, LABELS, BAR] = [760, 24, 250, 420];

/** Bars for reads and writes on Express: server CPU of a request, beside that of the bare app. */
export function chart(results: readonly ScenarioResult[], theme: keyof typeof THEMES): string {
  const colors = THEMES[theme];
  const parts: string[] = [];
  let y = 8;
  for (const scenario of ['read', 'write']) {
    const own = results.filter((one) => one.platform === 'express' && one.scenario === scenario);
    const lines = onceEach(own.flatMap(linesOf).filter(({ contender }) => !LEFT_OUT.includes(contender)));
    if (lines.length === 0) continue;
    const largest = Math.max(...lines.map(({ ratio }) => 1 / ratio.median));
    y += 22;
    parts.push(
      text(8, y, `${scenario} on Express, server CPU of a request, bare app = 1`, colors.ink, 'bold'),
    );
    y += 12;
    for (const { contender, ratio } of lines.toSorted((a, b) => b.ratio.median - a.ratio.median)) {
      const label = CONTENDERS.find(({ name }) => name === contender)?.label ?? contender;
      const width = ((1 / ratio.median) * BAR) / largest;
      const color = contender.startsWith('ours') ? colors.ours : colors.peer;
      parts.push(
        text(8, y + 16, label, colors.ink),
        `<rect x="${LABELS}" y="${y + 4}" width="${width.toFixed(1)}" height="${ROW - 8}" rx="2" fill="${color}"/>`,
        text(LABELS + width + 8, y + 16, `× ${(1 / ratio.median).toFixed(2)}`, colors.ink),
      );
      y += ROW;
    }
  }
  y += 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">`,
    '<title>Server CPU of a request, beside that of the bare app</title>',
    `<rect width="${WIDTH}" height="${y}" fill="${colors.paper}" stroke="${colors.faint}"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** Contenders that are in several groups are shown as the first one measured them. */
function onceEach(lines: readonly Line[]): Line[] {
  return [...new Map(lines.toReversed().map((line) => [line.contender, line])).values()];
}

function text(x: number, y: number, words: string, fill: string, weight = 'normal'): string {
  return `<text x="${x.toFixed(1)}" y="${y}" font-family="sans-serif" font-size="13" font-weight="${weight}" fill="${fill}">${words}</text>`;
}
