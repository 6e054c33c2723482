const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** What a second looks like, made once: lines come in the order of time, many a second. */
function perSecond(make: (date: Date) => string): (second: number) => string {
  let known = Number.NaN;
  let text = '';
  return (second) => {
    if (second !== known) {
      known = second;
      text = make(new Date(second * 1000));
    }
    return text;
  };
}

const isoSecond = perSecond((date) => date.toISOString().slice(0, 20));

const commonSecond = perSecond((date) => {
  const iso = date.toISOString();
  return `${iso.slice(8, 10)}/${MONTHS[date.getUTCMonth()]}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
});

/** RFC 3339, UTC, milliseconds: `2026-11-21T03:45:00.123Z`. */
export function isoTime(wallMs: number): string {
  const second = Math.floor(wallMs / 1000);
  const ms = Math.floor(wallMs - second * 1000);
  return `${isoSecond(second)}${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}Z`;
}

/** As in the common log format, UTC: `21/Nov/2026:03:45:00 +0000`. */
export function commonTime(wallMs: number): string {
  return commonSecond(Math.floor(wallMs / 1000));
}
