// Makes a browser's picture smaller: fewer shades of its colours, packed as tightly as
// zlib can. Nobody sees the difference in text; a repository keeps every version.
import { crc32, deflateSync, inflateSync } from 'node:zlib';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

// smaller takes a PNG of 8-bit RGB without interlacing, which is what Chromium draws of
// a page that is not transparent.
export function smaller(png) {
  const chunks = [...chunksOf(png)];
  const header = chunks.find(([type]) => type === 'IHDR')[1];
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  if (header.readUInt8(8) !== 8 || header.readUInt8(9) !== 2 || header.readUInt8(12) !== 0) {
    throw new Error('not a PNG of 8-bit RGB');
  }
  const data = inflateSync(Buffer.concat(chunks.filter(([type]) => type === 'IDAT').map(([, body]) => body)));
  const { palette, rows } = indexed(unfiltered(data, width * 3, height), width, height);
  header.writeUInt8(3, 9); // colours by their place in the palette
  return Buffer.concat([
    signature, chunk('IHDR', header), chunk('PLTE', palette), chunk('IDAT', deflateSync(rows, { level: 9 })), chunk('IEND', Buffer.alloc(0)),
  ]);
}

function* chunksOf(png) {
  for (let at = signature.length; at < png.length; ) {
    const length = png.readUInt32BE(at);
    yield [png.toString('latin1', at + 4, at + 8), Buffer.from(png.subarray(at + 8, at + 8 + length))];
    at += 12 + length;
  }
}

function chunk(type, body) {
  const named = Buffer.concat([Buffer.from(type, 'latin1'), body]);
  const out = Buffer.alloc(named.length + 8);
  out.writeUInt32BE(body.length, 0);
  named.copy(out, 4);
  out.writeUInt32BE(crc32(named), named.length + 4);
  return out;
}

// unfiltered undoes what each row is written relative to (PNG, section 9).
function unfiltered(data, stride, height) {
  const pixels = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = data[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x >= 3 ? pixels[at - 3] : 0;
      const above = y > 0 ? pixels[at - stride] : 0;
      const corner = x >= 3 && y > 0 ? pixels[at - stride - 3] : 0;
      const relativeTo = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter];
      pixels[at] = data[y * (stride + 1) + 1 + x] + relativeTo;
    }
  }
  return pixels;
}

function paeth(left, above, corner) {
  const [a, b, c] = [Math.abs(above - corner), Math.abs(left - corner), Math.abs(left + above - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

// indexed gives every pixel its nearest among the 96 colours that are seen most. Those of
// areas are among them and stay as they are.
function indexed(pixels, width, height) {
  const seen = new Map();
  const colorAt = (i) => pixels.readUIntBE(i * 3, 3);
  for (let i = 0; i < width * height; i++) {
    seen.set(colorAt(i), (seen.get(colorAt(i)) ?? 0) + 1);
  }
  const colors = [...seen.keys()].sort((a, b) => seen.get(b) - seen.get(a)).slice(0, 96);
  const parts = (c) => [c >> 16, (c >> 8) & 255, c & 255];
  const distance = (a, b) => parts(a).reduce((sum, v, k) => sum + (v - parts(b)[k]) ** 2, 0);
  const place = new Map();
  for (const color of seen.keys()) {
    place.set(color, colors.reduce((best, c, k) => (distance(c, color) < distance(colors[best], color) ? k : best), 0));
  }
  const rows = Buffer.alloc((width + 1) * height); // each begins with 0: relative to nothing
  for (let i = 0; i < width * height; i++) {
    rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = place.get(colorAt(i));
  }
  return { palette: Buffer.from(colors.flatMap(parts)), rows };
}
