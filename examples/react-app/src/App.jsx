// A sign-up form that knows no order of steps: it shows what the server says is open now, to the end.
import { useEffect, useState } from 'react';
const API = import.meta.env.VITE_API ?? 'http://localhost:8080/graphql';
const known = { // how the API calls each field, and how to ask for those that can be typed
  EMAIL_ADDRESS: { name: 'emailAddress', label: 'Email address', type: 'email', autoComplete: 'email' },
  PHONE_NUMBER: { name: 'phoneNumber', label: 'Phone number', type: 'tel', autoComplete: 'tel' },
  USERNAME: { name: 'username', label: 'Username', autoComplete: 'username' },
  PASSWORD: { name: 'password', label: 'Password', type: 'password', autoComplete: 'new-password' },
  FIRST_NAME: { name: 'firstName', label: 'First name', autoComplete: 'given-name' },
  LAST_NAME: { name: 'lastName', label: 'Last name', autoComplete: 'family-name' },
  LEGAL_ACCEPTED: { name: 'legalAccepted', label: 'I accept the terms', type: 'checkbox' },
  EXTERNAL_ACCOUNT: { name: 'externalAccount' },
};
const proofs = { EMAIL_CODE: 'emailCode', PHONE_CODE: 'phoneCode' }; // how to offer each code
const codeOf = (ways) => ways?.strategies.find((strategy) => proofs[strategy]);
const STATE = `fragment State on SignUp {
  id revision status settingsVersion createdUserId requiredFields blockers { message attribute } externalAccount { provider }
  requirements { field state actions { kind strategies } } emailAddress phoneNumber username firstName lastName
  verifications { emailAddress { ...Check } phoneNumber { ...Check } externalAccount { ...Check } } }
fragment Check on SignUpVerification {
  status error { code message } challenge { ... on CodeChallenge { sentTo resendAt } ... on RedirectChallenge { url } } }`;
const NOW = `{ signUp { ...State } publicSettings { appName fields { field required verifyAtSignUp strategies }
  providers { name displayName } legalConsent { documentVersion documentUrl } } } ${STATE}`;
const WATCH = `subscription ($id: ID) { signUpStatusChanged(id: $id) { ...State } } ${STATE}`;

async function post(query, variables, Accept, signal) {
  const token = localStorage.getItem('clientToken'); // says who we are, until the server gives another
  const credentials = token ? { Authorization: `Bearer ${token}` } : {};
  const headers = { 'Content-Type': 'application/json', 'Client-Mode': 'bearer', Accept, ...credentials };
  const response = await fetch(API, { method: 'POST', headers, signal, body: JSON.stringify({ query, variables }) });
  const next = response.headers.get('Client-Token');
  if (next) localStorage.setItem('clientToken', next);
  else if (response.status === 401 && localStorage.getItem('clientToken') === token) localStorage.removeItem('clientToken');
  return response;
}
async function ask(query, variables) {
  const { data, errors } = await (await post(query, variables, 'application/graphql-response+json')).json();
  if (errors) throw new Error(errors[0].message);
  return data;
}
async function watch(id, see, signal) { // the sign-up as it is, then after each change, by server-sent events
  const reader = (await post(WATCH, { id }, 'text/event-stream', signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = '', part; !(part = await reader.read()).done;) {
    const lines = (text + part.value).split('\n');
    text = lines.pop();
    for (const line of lines) if (line.startsWith('data: {')) see(JSON.parse(line.slice(6)).data.signUpStatusChanged);
  }
}

export default function App() {
  const [settings, setSettings] = useState(null);
  const [signUp, setSignUp] = useState(null);
  const [errors, setErrors] = useState([]);
  const [back, setBack] = useState({}); // a transferToken if what was proven belongs to a user, then their userId
  const [open, complete] = ['MISSING_REQUIREMENTS', 'COMPLETE'].map((status) => signUp?.status === status);
  // Answers and events overtake each other: the higher revision is the newer state.
  const see = (next) => setSignUp((old) => (next && old?.id === next.id && old.revision > next.revision ? old : next));
  const fail = ({ message }) => setErrors([{ message }]);

  async function mutate(name, input) { // returns the sign-up, or null if something was refused
    const mutation = `mutation ($input: ${name[0].toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input)
      { signUp { ...State } userErrors { code message attribute } ${name.endsWith('Check') ? 'transferToken' : ''} } } ${STATE}`;
    const answer = (await ask(mutation, { input }).catch(fail))?.[name];
    if (!answer) return null;
    setErrors(answer.userErrors);
    see(answer.signUp);
    if (answer.transferToken) setBack(answer);
    return answer.userErrors.length === 0 ? answer.signUp : null;
  }

  useEffect(() => { // an open sign-up tells of every change, of the settings too; without one we look again
    const oauthHandle = new URLSearchParams(location.search).get('sign_up_handle'); // back from a provider
    history.replaceState(null, '', location.pathname);
    if (oauthHandle) mutate('signUpVerificationCheck', { proof: { oauthHandle } });
    const stop = new AbortController();
    const follow = async () => {
      await ask(NOW).then((now) => [setSettings(now.publicSettings), now.signUp && see(now.signUp)]).catch(fail);
      if (open) await watch(signUp.id, see, stop.signal).catch(() => {});
      if (!stop.signal.aborted && !complete) setTimeout(follow, 2000);
    };
    follow();
    return () => stop.abort();
  }, [signUp?.id, signUp?.settingsVersion, open]);

  async function submit(event) { // sends what was changed, then the codes that were typed
    event.preventDefault();
    const before = (one) => (one.type === 'checkbox' ? one.defaultChecked : one.defaultValue || null);
    const now = (one) => (one.type === 'checkbox' ? one.checked : one.value || null); // null clears
    const changed = [...event.target.querySelectorAll('input')].filter((one) => now(one) !== before(one));
    const { emailCode, phoneCode, ...input } = Object.fromEntries(changed.map((one) => [one.name, now(one)]));
    const toVerify = settings.fields.filter((one) => one.verifyAtSignUp && codeOf(one) && input[known[one.field].name]);
    const startVerifications = toVerify.map((one) => ({ strategy: codeOf(one) }));
    let done = (emailCode || phoneCode) && Object.keys(input).length === 0
      || (await mutate(open ? 'signUpUpdate' : 'signUpCreate', { ...input, startVerifications }));
    if (done && emailCode) done = await mutate('signUpVerificationCheck', { proof: { emailCode } });
    if (done && phoneCode) done = await mutate('signUpVerificationCheck', { proof: { phoneCode } });
    if (done) event.target.reset();
  }

  async function connect(provider) {
    const input = { strategy: 'OAUTH', provider, redirectUrl: location.origin + location.pathname };
    // In one call: where only invited people sign up, this is how users come back.
    const started = await (open ? mutate('signUpVerificationStart', input) : mutate('signUpCreate', { startVerifications: [input] }));
    if (started) location.assign(started.verifications.externalAccount.challenge.url);
  }
  // The account belongs to a user already: its proof is good for a session of theirs.
  const comeBack = () => ask(`mutation ($transfer: String!) { sessionCreate(input: { proof: { transfer: $transfer } })
    { session { userId } userErrors { message } } }`, { transfer: back.transferToken }).then(
    ({ sessionCreate: { session, userErrors } }) => [setErrors(userErrors), setBack(session ?? {})], fail);
  if (!settings) return <main>{errors[0]?.message}</main>;
  if (back.userId || complete) return <main><h1>Welcome</h1><p data-testid="user-id">{back.userId ?? signUp.createdUserId}</p></main>;
  const required = open ? signUp.requiredFields : settings.fields.filter((one) => one.required).map(({ field }) => field);
  const needs = open ? signUp.requirements : settings.fields.map(({ field, strategies }) => (
    { field, actions: [{ kind: known[field]?.label ? 'PROVIDE' : 'START_VERIFICATION', strategies }] }));
  const alerts = (list) => list.map(({ code, message }, i) => <p role="alert" key={i} data-code={code}>{message}</p>);
  const problems = [...errors, ...(open ? signUp.blockers : [])];
  function show({ field, state, actions }) {
    const { label, ...attributes } = known[field] ?? {};
    const { challenge, error, status } = signUp?.verifications[attributes.name] ?? {};
    const can = Object.fromEntries(actions.map((action) => [action.kind, action]));
    const [start, check] = [codeOf(can.START_VERIFICATION), codeOf(can.CHECK_VERIFICATION)];
    return (
      <section key={field} data-testid={field} data-state={state}>
        {can.PROVIDE && <label>{label}{!required.includes(field) && ' (optional)'}{state === 'SATISFIED' && ' ✓'}
          <input {...attributes} defaultValue={signUp?.[attributes.name]} defaultChecked={state === 'SATISFIED'} /></label>}
        {field === 'LEGAL_ACCEPTED' && can.PROVIDE && <a href={settings.legalConsent?.documentUrl}>Read them</a>}
        {check && <label>Code sent to {challenge.sentTo}
          <input name={proofs[check]} inputMode="numeric" autoComplete="one-time-code" /></label>}
        {start && <button type="button" onClick={() => mutate('signUpVerificationStart', { strategy: start })}>
          {check ? `Send another code (from ${new Date(challenge.resendAt).toLocaleTimeString()})` : 'Send a code'}</button>}
        {field === 'EXTERNAL_ACCOUNT' && can.START_VERIFICATION && settings.providers.map(({ name, displayName }) => (
          <button key={name} type="button" onClick={() => connect(name)}>
            Continue with {displayName}{signUp?.externalAccount?.provider === name && ' ✓'}</button>))}
        {status === 'TRANSFERABLE' && back.transferToken && <button type="button" onClick={comeBack}>Sign in</button>}
        {alerts([...problems.filter(({ attribute }) => attribute === field), ...(error ? [error] : [])])}
      </section>
    );
  }
  return (
    <main>
      <h1>Sign up to {settings.appName}</h1>
      {alerts(problems.filter(({ attribute }) => !attribute))}
      <form onSubmit={submit} noValidate>
        {[...needs].sort((a, b) => required.includes(b.field) - required.includes(a.field)).map(show)}
        <button>Continue</button>
      </form>
    </main>
  );
}
