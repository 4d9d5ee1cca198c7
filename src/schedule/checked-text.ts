/** Settings that stay the text that was written, checked by the function that reads them. */
import { z } from 'zod';
import { messageOf } from '../kernel/errors.ts';

/** `read` throws what is wrong with a text. */
export const textFor = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) });
    }
  });
