/** Elements of the page, by selector and kind. */

/** @throws when the page has none: it was made with another version of this */
export function need<T extends Element>(
  selector: string,
  kind: new () => T,
  within: ParentNode = document,
): T {
  const found = within.querySelector(selector);
  if (found instanceof kind) return found;
  throw new Error(`the page has no ${selector}`);
}

export const maybe = <T extends Element>(
  selector: string,
  kind: new () => T,
  within: ParentNode = document,
): T | undefined => {
  const found = within.querySelector(selector);
  return found instanceof kind ? found : undefined;
};

/** Whether somebody writes there, so that keys are not commands. */
export const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('input, textarea, select'));
