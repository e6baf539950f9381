// A sign-up page in plain JavaScript: fetch for mutations, graphql-ws for the
// live status. The address of the API and the documents come from the server of
// the page; `mode` is how the API shall know this client again.
import { createClient } from './graphql-ws/client.js';

const { url, mode, documents } = await (await fetch('settings.json')).json();

let token = null; // in bearer mode; never in storage, where other scripts look

async function mutate(query, variables) {
  const headers = { 'Content-Type': 'application/json' };
  if (mode === 'bearer') {
    headers['Client-Mode'] = 'bearer';
    if (token) {
      headers.Authorization = `Bearer ${token}`;
    }
  }
  const response = await fetch(url, {
    method: 'POST',
    credentials: mode === 'cookie' ? 'same-origin' : 'omit',
    headers,
    body: JSON.stringify({ query, variables }),
  });
  token = response.headers.get('Client-Token') ?? token;
  const { data, errors } = await response.json();
  const refused = errors ?? Object.values(data).flatMap(({ userErrors }) => userErrors);
  if (refused.length > 0) {
    throw new Error(JSON.stringify(refused));
  }
  return data;
}

async function watch(id) {
  const socket = createClient({
    url: url.replace(/^http/, 'ws'),
    connectionParams: mode === 'bearer' ? { Authorization: `Bearer ${token}` } : {},
    retryAttempts: 0,
  });
  for await (const { data } of socket.iterate({ query: documents.SignUpStatusChanged, variables: { id } })) {
    const { revision, status } = data.signUpStatusChanged;
    const item = document.createElement('li');
    item.textContent = `${revision} ${status}`;
    document.querySelector('#events').append(item);
  }
  document.querySelector('#status').textContent = 'The sign-up has ended.';
  await socket.dispose();
}

function onSubmit(form, act) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    await act(Object.fromEntries(new FormData(form)));
  });
}

const begin = document.querySelector('#begin');
const verify = document.querySelector('#verify');

onSubmit(begin, async (person) => {
  const { signUpCreate } = await mutate(documents.SignUpCreate, {
    input: { ...person, startVerifications: [{ strategy: 'EMAIL_CODE' }] },
  });
  begin.hidden = true;
  verify.hidden = false;
  await watch(signUpCreate.signUp.id);
  const { sessionTokenCreate } = await mutate(documents.SessionTokenCreate, {});
  document.querySelector('#token').textContent = sessionTokenCreate.token;
});

onSubmit(verify, async ({ code }) => {
  await mutate(documents.SignUpVerificationCheck, { input: { proof: { emailCode: code } } });
});
