// The client of a Stepwise server for frontends; see README.md.
export { createSignUpClient } from './client.ts';
export type { Connection, Ethereum, Options, Outcome, Phase, Session, SignUpClient, StartOptions, State } from './client.ts';
export { errorFor, errorsFor, nameOf, nextSteps, verificationOf } from './steps.ts';
export type { Problem, Step } from './steps.ts';
export type { Storage } from './token.ts';
export type { SocketClass } from './watch.ts';
export type {
  SessionProofInput,
  SettingsFragment as PublicSettings,
  SignUpCreateInput,
  SignUpField,
  SignUpFragment as SignUp,
  SignUpUpdateInput,
  UserErrorCode,
  UserErrorFragment as UserError,
  VerificationFragment as Verification,
  VerificationProofInput,
  VerificationStrategy,
} from './generated/types.ts';
