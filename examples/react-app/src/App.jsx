// A sign-up form that knows no order of steps: it shows what the server says is open now, to the end.
import { useEffect, useSyncExternalStore } from 'react';
import { createSignUpClient, errorsFor, nameOf, nextSteps, verificationOf } from '@stepwise/client';

const client = createSignUpClient({ url: import.meta.env.VITE_API ?? 'http://localhost:8080/graphql', mode: 'bearer' });
const typed = { // how to ask for the fields that can be typed
  EMAIL_ADDRESS: { label: 'Email address', type: 'email', autoComplete: 'email' },
  PHONE_NUMBER: { label: 'Phone number', type: 'tel', autoComplete: 'tel' },
  USERNAME: { label: 'Username', autoComplete: 'username' },
  PASSWORD: { label: 'Password', type: 'password', autoComplete: 'new-password' },
  FIRST_NAME: { label: 'First name', autoComplete: 'given-name' },
  LAST_NAME: { label: 'Last name', autoComplete: 'family-name' },
  LEGAL_ACCEPTED: { label: 'I accept the terms', type: 'checkbox' },
};

async function submit(event) { // sends what was changed, then the codes that were typed
  event.preventDefault();
  const form = event.target;
  const before = (one) => (one.type === 'checkbox' ? one.defaultChecked : one.defaultValue || null);
  const now = (one) => (one.type === 'checkbox' ? one.checked : one.value || null); // null clears
  const changed = [...form.querySelectorAll('input')].filter((one) => now(one) !== before(one));
  const { emailCode, phoneCode, ...input } = Object.fromEntries(changed.map((one) => [one.name, now(one)]));
  const codes = [emailCode && { emailCode }, phoneCode && { phoneCode }].filter(Boolean);
  let done = codes.length > 0 && Object.keys(input).length === 0 || (await client.update(input)).ok;
  for (const code of codes) done &&= (await client.check(code)).ok;
  if (done) form.reset();
}

async function connect(provider) {
  const { url } = await client.start('OAUTH', { provider });
  if (url) location.assign(url);
}

const alerts = (problems) => problems.map(({ code, message }, i) => <p role="alert" key={i} data-code={code}>{message}</p>);

export default function App() {
  const state = useSyncExternalStore(client.subscribe, () => client.state);
  useEffect(() => void client.resume(), []);
  const { phase, settings, session, failure } = state;
  if (session) return <main><h1>Welcome</h1><p data-testid="user-id">{session.userId}</p></main>;
  if (!settings) return <main>{failure}</main>;
  const signUp = phase === 'open' ? state.signUp : null;
  const steps = nextSteps(signUp, settings);
  const required = signUp?.requiredFields ?? settings.fields.filter((one) => one.required).map(({ field }) => field);
  const fields = signUp?.requirements.filter(({ actions }) => actions.length > 0) ?? steps;

  function show({ field, state: stands }) {
    const { label, ...attributes } = typed[field] ?? {};
    const name = nameOf(field);
    const { kind, code, strategies = [] } = steps.find((one) => one.field === field) ?? {};
    const { challenge, status } = verificationOf(signUp, field) ?? {};
    return (
      <section key={field} data-testid={field} data-state={stands}>
        {label && <label>{label}{!required.includes(field) && ' (optional)'}{stands === 'SATISFIED' && ' ✓'}
          <input {...attributes} name={name} defaultValue={signUp?.[name]} defaultChecked={stands === 'SATISFIED'} /></label>}
        {field === 'LEGAL_ACCEPTED' && <a href={settings.legalConsent?.documentUrl}>Read them</a>}
        {code && <label>Code sent to {challenge.sentTo}
          <input name={code} inputMode="numeric" autoComplete="one-time-code" /></label>}
        {signUp && label && kind !== 'provide' && strategies.length > 0 && (
          <button type="button" onClick={() => client.start(strategies[0])}>
            {code ? `Send another code (from ${new Date(challenge.resendAt).toLocaleTimeString()})` : 'Send a code'}</button>)}
        {field === 'EXTERNAL_ACCOUNT' && settings.providers.map((one) => (
          <button key={one.name} type="button" onClick={() => connect(one.name)}>
            Continue with {one.displayName}{signUp?.externalAccount?.provider === one.name && ' ✓'}</button>))}
        {status === 'TRANSFERABLE' && state.transferToken && <button type="button" onClick={() => client.signIn()}>Sign in</button>}
        {alerts(errorsFor(state, field))}
      </section>
    );
  }
  return (
    <main>
      <h1>Sign up to {settings.appName}</h1>
      {alerts([...errorsFor(state, null), ...(failure ? [{ message: failure }] : [])])}
      <form onSubmit={submit} noValidate>
        {[...fields].sort((a, b) => required.includes(b.field) - required.includes(a.field)).map(show)}
        <button>Continue</button>
      </form>
    </main>
  );
}
