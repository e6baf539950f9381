import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  server: {
    // Providers send people back to this very address.
    host: 'localhost',
    port: 5173,
    strictPort: true,
    fs: { allow: ['.', '../../web/client'] }, // the client's sources, elsewhere in this repository
  },
});
