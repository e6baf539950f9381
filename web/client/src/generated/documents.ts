// Made by generate.mjs.

import type { Operation } from '../wire.ts';

import type {
  NowQuery,
  NowQueryVariables,
  SettingsQuery,
  SettingsQueryVariables,
  CreateMutation,
  CreateMutationVariables,
  UpdateMutation,
  UpdateMutationVariables,
  StartMutation,
  StartMutationVariables,
  CheckMutation,
  CheckMutationVariables,
  SignInMutation,
  SignInMutationVariables,
  SessionTokenMutation,
  SessionTokenMutationVariables,
  WatchSubscription,
  WatchSubscriptionVariables,
} from './types.ts';

const onSignUp =
  "fragment SignUp on SignUp{id status revision settingsVersion requiredFields optionalFields missingFields unverifiedFields awaitsOwner blockers{code message attribute remedy}requirements{field state reason oneOf actions{kind strategies}}verifications{emailAddress{...Verification}phoneNumber{...Verification}web3Wallet{...Verification}externalAccount{...Verification}}emailAddress phoneNumber username firstName lastName web3Wallet externalAccount{provider}passwordEnabled legalAcceptedAt unsafeMetadata createdUserId createdSessionId abandonAt}";

const onVerification =
  "fragment Verification on SignUpVerification{status strategy provider attemptsLeft expireAt error{code message}challenge{__typename ...on CodeChallenge{sentTo resendAt}...on RedirectChallenge{url}...on MessageChallenge{message}}}";

const onUserError =
  "fragment UserError on UserError{code message attribute field retryAfter}";

const onSettings =
  "fragment Settings on PublicSettings{version appName progressiveSignUp signUpMode fields{field required verifyAtSignUp strategies}password{minLength maxLength}username{minLength maxLength}providers{name displayName preset}chainIds legalConsent{documentVersion documentUrl documents{name url}}defaultCountry phoneCountries testMode botProtection{provider siteKey}}";

export const Now: Operation<NowQuery, NowQueryVariables> =
  "query Now($id:ID){signUp(id:$id){...SignUp}client{activeSession{id userId}}publicSettings{...Settings}}" + onSignUp + onVerification + onSettings;

export const Settings: Operation<SettingsQuery, SettingsQueryVariables> =
  "query Settings{publicSettings{...Settings}}" + onSettings;

export const Create: Operation<CreateMutation, CreateMutationVariables> =
  "mutation Create($input:SignUpCreateInput!){outcome:signUpCreate(input:$input){signUp{...SignUp}userErrors{...UserError}}}" + onSignUp + onVerification + onUserError;

export const Update: Operation<UpdateMutation, UpdateMutationVariables> =
  "mutation Update($input:SignUpUpdateInput!){outcome:signUpUpdate(input:$input){signUp{...SignUp}userErrors{...UserError}}}" + onSignUp + onVerification + onUserError;

export const Start: Operation<StartMutation, StartMutationVariables> =
  "mutation Start($input:SignUpVerificationStartInput!){outcome:signUpVerificationStart(input:$input){signUp{...SignUp}userErrors{...UserError}}}" + onSignUp + onVerification + onUserError;

export const Check: Operation<CheckMutation, CheckMutationVariables> =
  "mutation Check($input:SignUpVerificationCheckInput!){outcome:signUpVerificationCheck(input:$input){signUp{...SignUp}transferToken userErrors{...UserError}}}" + onSignUp + onVerification + onUserError;

export const SignIn: Operation<SignInMutation, SignInMutationVariables> =
  "mutation SignIn($input:SessionCreateInput!){outcome:sessionCreate(input:$input){session{id userId}userErrors{...UserError}}}" + onUserError;

export const SessionToken: Operation<SessionTokenMutation, SessionTokenMutationVariables> =
  "mutation SessionToken($input:SessionTokenCreateInput!){outcome:sessionTokenCreate(input:$input){token expireAt userErrors{...UserError}}}" + onUserError;

export const Watch: Operation<WatchSubscription, WatchSubscriptionVariables> =
  "subscription Watch($id:ID!){signUpStatusChanged(id:$id){...SignUp}}" + onSignUp + onVerification;
