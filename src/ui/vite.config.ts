/** Bundles what the pages load into `dist/ui`: each file named by its content, and a manifest that says which is which. */
import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  publicDir: false,
  build: {
    outDir: '../../dist/ui',
    emptyOutDir: true,
    manifest: 'manifest.json',
    assetsInlineLimit: 0,
    modulePreload: false,
    rollupOptions: {
      input: ['app.ts', 'session.ts', 'style.css', 'icon.svg'].map(
        (name) => `${import.meta.dirname}/${name}`,
      ),
    },
  },
});
