/** What there may be at once, and in a second: what is over waits, and nothing that is recorded is cut. */
import { about } from './about.ts';
import { byteRate, BYTE_RATE_FORM, percentage, wholeNumber } from './forms.ts';

export const limitSettings = {
  recordings: wholeNumber(1, 10_000).optional().register(about, {
    description:
      'How many broadcasts are recorded at once; others wait, those of the highest priority first. Without it there is no limit.',
    form: 'a whole number of at least 1',
    env: 'LIVESTOW_RECORDINGS',
    flag: '--recordings',
    value: 'n',
    example: '60',
  }),
  downloadBandwidth: byteRate.optional().register(about, {
    description:
      'What all recordings of `livestow serve` may receive in a second: as long as one more would go above it, creators who are live wait, those of the highest priority first. Nothing that is recorded is slowed or cut, and one is always recorded. Without it there is no limit.',
    form: BYTE_RATE_FORM,
    env: 'LIVESTOW_DOWNLOAD_BANDWIDTH',
    flag: '--download-bandwidth',
    value: 'rate',
    example: '50MB/s',
  }),
  cpu: percentage.optional().register(about, {
    description:
      'How busy the machine (all its cores, whoever uses them) may be for `livestow serve` to begin another recording: as long as it is busier, creators who are live wait, those of the highest priority first. Nothing that is recorded is slowed or cut, and one is always recorded. Without it there is no limit.',
    form: 'a percentage from 1% to 100%, such as 80%',
    env: 'LIVESTOW_CPU',
    flag: '--cpu',
    value: 'percentage',
    example: '80%',
  }),
  uploads: wholeNumber(1, 64).prefault(8).register(about, {
    description: 'How many objects are sent to the store at once.',
    form: 'a whole number from 1 to 64',
    env: 'LIVESTOW_UPLOADS',
    flag: '--uploads',
    value: 'n',
  }),
  uploadBandwidth: byteRate.optional().register(about, {
    description:
      'How much media goes up to stores in a second, in the mean, of all recordings of a process and of the jobs of `livestow serve`. Recording never waits for it: what is not shipped yet lies in the spool. Without it there is no limit.',
    form: BYTE_RATE_FORM,
    env: 'LIVESTOW_UPLOAD_BANDWIDTH',
    flag: '--upload-bandwidth',
    value: 'rate',
    example: '20MB/s',
  }),
};
