// What to show now: read from `requirements` alone, which have an order of their own.
import type {
  SettingsFragment,
  SignUpField,
  SignUpFragment,
  SignUpRequirementReason,
  UserErrorCode,
  SignUpBlockerCode,
  VerificationFragment,
  VerificationStrategy,
} from './generated/types.ts';
import type { State } from './client.ts';

export interface Step {
  readonly field: SignUpField;
  /** How the API names the field, in inputs and in a sign-up: `emailAddress`. */
  readonly name: string;
  /**
   * - provide: give a value, by `create` or `update`
   * - replace: give another value, or null to clear it
   * - consent: give `legalAccepted: true`
   * - verify: begin a verification, by `start` with one of `strategies`
   * - prove: a verification waits for its proof, which `check` takes; `strategies` begin it again
   */
  readonly kind: 'provide' | 'replace' | 'consent' | 'verify' | 'prove';
  /** Whether the sign-up cannot complete without it. */
  readonly required: boolean;
  readonly strategies: readonly VerificationStrategy[];
  /** The key of the proof that is a code to be typed, for `check({ [step.code]: text })`; else null. */
  readonly code: 'emailCode' | 'phoneCode' | null;
  /** The fields of which one is needed, where this is among them; else empty. */
  readonly oneOf: readonly SignUpField[];
  /** Null before there is a sign-up. */
  readonly reason: SignUpRequirementReason | null;
  readonly verification: VerificationFragment | null;
}

/** How the API names a field in inputs and in a sign-up. */
export const nameOf = (field: SignUpField): string => field.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** The latest verification of a field; null where there is none. */
export function verificationOf(signUp: SignUpFragment | null, field: SignUpField): VerificationFragment | null {
  const { [nameOf(field)]: one = null } = { ...signUp?.verifications } as Record<string, VerificationFragment | null>;
  return one;
}

const codes: Partial<Record<VerificationStrategy, Step['code']>> = { EMAIL_CODE: 'emailCode', EMAIL_LINK: 'emailCode', PHONE_CODE: 'phoneCode' };

/** Asked for by their proof alone: there is no value to type. */
const proven = (strategies: readonly VerificationStrategy[]): boolean => strategies.some((one) => one === 'OAUTH' || one === 'WEB3_SIGNATURE');

/**
 * What can be done about each field that is not settled, what is required first. Before
 * there is a sign-up it is what the settings have, if they are given.
 */
export function nextSteps(signUp: SignUpFragment | null, settings?: SettingsFragment | null): Step[] {
  const steps = signUp ? signUp.requirements.flatMap((one) => stepOf(signUp, one) ?? []) : (settings?.fields ?? []).map(firstStep);
  return steps.sort((a, b) => Number(b.required) - Number(a.required));
}

function firstStep({ field, required, strategies }: SettingsFragment['fields'][number]): Step {
  const kind = field === 'LEGAL_ACCEPTED' ? 'consent' : proven(strategies) ? 'verify' : 'provide';
  return { field, name: nameOf(field), kind, required, strategies, code: null, oneOf: [], reason: null, verification: null };
}

function stepOf(signUp: SignUpFragment, { field, state, reason, oneOf, actions }: SignUpFragment['requirements'][number]): Step | null {
  const can = (kind: string) => actions.find((action) => action.kind === kind);
  const start = can('START_VERIFICATION');
  const check = can('CHECK_VERIFICATION');
  const inTheWay = signUp.blockers.some(({ attribute, remedy }) => attribute === field && remedy === 'REPLACE_OR_CLEAR');
  const required = state === 'MISSING' || state === 'UNVERIFIED' || inTheWay;
  const kindOf = (): Step['kind'] | null => {
    if (actions.length > 0 && (inTheWay || reason === 'TAKEN' || reason === 'NOT_ALLOWED')) return 'replace';
    if (state === 'SATISFIED' || state === 'DISABLED') return null;
    // A provider sends people back with their proof: there is nothing to enter here.
    if (check && !check.strategies.includes('OAUTH')) return 'prove';
    if (state !== 'UNVERIFIED' && can('PROVIDE')) return field === 'LEGAL_ACCEPTED' ? 'consent' : 'provide';
    return start ? 'verify' : null;
  };
  const kind = kindOf();
  const [strategy] = check?.strategies ?? [];
  return (
    kind && {
      field,
      name: nameOf(field),
      kind,
      required,
      strategies: start?.strategies ?? [],
      code: (kind === 'prove' && strategy && codes[strategy]) || null,
      oneOf,
      reason,
      verification: verificationOf(signUp, field),
    }
  );
}

export interface Problem {
  readonly code: UserErrorCode | SignUpBlockerCode;
  /** A sentence for people. */
  readonly message: string;
}

/** What is wrong with a field, the last action's refusals first; with null, what belongs to no field. */
export function errorsFor({ userErrors, signUp }: Pick<State, 'userErrors' | 'signUp'>, field: SignUpField | null): Problem[] {
  const blockers = signUp?.status === 'MISSING_REQUIREMENTS' ? signUp.blockers : [];
  const problems: Problem[] = [...userErrors, ...blockers].filter(({ attribute }) => attribute === field);
  const { error } = (field && verificationOf(signUp, field)) || {};
  if (error) problems.push(error);
  return problems.filter(({ message }, at) => problems.findIndex((one) => one.message === message) === at);
}

/** The first of `errorsFor`, or null. */
export const errorFor = (state: Pick<State, 'userErrors' | 'signUp'>, field: SignUpField | null): Problem | null => errorsFor(state, field)[0] ?? null;
