// Takes webhooks: checks their signature (Standard Webhooks 1.0) with nothing but
// Node.js 20 and prints a line for each event.
//
//   WEBHOOK_SECRET=whsec_… node examples/receiver-node/receiver.mjs --addr 127.0.0.1:9000
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

// How far the sender's clock may be from ours, in seconds. What is older might be a
// copy that somebody kept.
const tolerance = 5 * 60
const maxBody = 1 << 20

const { values } = parseArgs({ options: { addr: { type: 'string', default: '127.0.0.1:9000' } } })
const address = values.addr.match(/^(.*):(\d+)$/)
const secret = process.env.WEBHOOK_SECRET?.match(/^whsec_([A-Za-z0-9+/]{32,}=*)$/)
if (!address || !secret) {
  console.error('--addr must be host:port, and WEBHOOK_SECRET the endpoint\'s secret, whsec_…')
  process.exit(1)
}
const key = Buffer.from(secret[1], 'base64')

// The ids of events that were handled. Retries go on for days: an app keeps the ids
// in its database, written with whatever the event leads to.
const seen = new Set()

const isFresh = (timestamp) => /^\d+$/.test(timestamp) && Math.abs(Date.now() / 1000 - Number(timestamp)) <= tolerance

// While a secret is being replaced there are several signatures.
function isSigned(id, timestamp, body, signatures) {
  const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body)
  const want = Buffer.from(`v1,${mac.digest('base64')}`)
  return signatures.split(' ').some((signature) => {
    const got = Buffer.from(signature)
    return got.length === want.length && timingSafeEqual(got, want)
  })
}

async function read(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > maxBody) throw new Error('too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks) // bytes as they came: the signature is theirs
}

// receive returns the status to answer with.
async function receive(request) {
  if (request.method !== 'POST') return 400
  const body = await read(request)
  const header = (name) => request.headers[name] ?? ''
  const id = header('webhook-id')
  const timestamp = header('webhook-timestamp')
  if (!isFresh(timestamp) || !isSigned(id, timestamp, body, header('webhook-signature'))) return 401
  const event = JSON.parse(body)
  if (!seen.has(id)) {
    console.log(id, JSON.stringify(event.type), JSON.stringify(event.timestamp)) // your work goes here
    seen.add(id)
  }
  return 204 // also to what was seen before: it was handled
}

const server = createServer((request, response) => {
  receive(request).catch(() => 400).then((status) => response.writeHead(status, { Connection: status === 204 ? 'keep-alive' : 'close' }).end())
})
server.listen(Number(address[2]), address[1], () => {
  console.log(`listening on http://${server.address().address}:${server.address().port}`)
})
