/** The server writes times in UTC; here they become the reader's, and UTC stays as what a pointer over them shows. */

const FORMATS: Record<string, Intl.DateTimeFormatOptions> = {
  moment: { dateStyle: 'medium', timeStyle: 'short' },
  exact: { dateStyle: 'medium', timeStyle: 'medium' },
  time: { timeStyle: 'medium' },
};

export function showLocalTimes(within: ParentNode = document): void {
  for (const element of within.querySelectorAll<HTMLTimeElement>('time[data-as]')) {
    const at = new Date(element.dateTime);
    const format = FORMATS[element.dataset['as'] ?? ''];
    if (!format || Number.isNaN(at.getTime()) || element.title !== '') continue;
    element.title = `${element.dateTime.slice(0, 19).replace('T', ' ')} UTC`;
    element.textContent = at.toLocaleString(undefined, format);
  }
}
