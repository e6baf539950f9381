import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // Providers send people back to this very address.
  server: { host: 'localhost', port: 5173, strictPort: true },
});
