// A person's wallet and a page that asks it to sign, by viem: reads JSON on
// stdin, writes JSON on stdout. In: { privateKey, message }, or { privateKey,
// fields } to have the message of EIP-4361 made out of its fields (times as
// strings of RFC 3339). Out: { address, message, signature, fields }, where
// fields are those that viem reads out of the message.
import { json } from 'node:stream/consumers';
import { privateKeyToAccount } from 'viem/accounts';
import { createSiweMessage, parseSiweMessage } from 'viem/siwe';

const request = await json(process.stdin);

function messageOf({ issuedAt, expirationTime, ...fields }) {
  return createSiweMessage({ ...fields, issuedAt: new Date(issuedAt), expirationTime: new Date(expirationTime) });
}

const account = privateKeyToAccount(request.privateKey);
const message = request.message ?? messageOf(request.fields);
const answer = {
  address: account.address,
  message,
  signature: await account.signMessage({ message }),
  fields: parseSiweMessage(message),
};
process.stdout.write(JSON.stringify(answer));
