/**
 * The anchor that GitHub gives a heading, so that an address leads to the same place on the forge and on the site.
 * Of headings that are alike the second gets `-1`, and so on, here and there.
 */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');
}
