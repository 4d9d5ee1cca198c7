/** The light build (no subtitles, no encryption) has the same types. */
declare module 'hls.js/light' {
  export * from 'hls.js';
  export { default as Hls } from 'hls.js';
}
