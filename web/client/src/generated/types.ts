// Made by generate.mjs.
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
export type BotProtectionProvider =
  | 'HCAPTCHA'
  /** Nobody is asked. */
  | 'NONE'
  /** Cloudflare Turnstile. */
  | 'TURNSTILE';

/** What is known of a provider beforehand. */
export type ProviderPreset =
  /** The client secret is the private key (PKCS #8, PEM) that signs it. */
  | 'APPLE'
  | 'GITHUB'
  | 'GOOGLE'
  | 'MICROSOFT';

export type SessionCodeInput = {
  /** That of the `SessionChallenge`. */
  readonly challengeId: string | number;
  readonly code: string;
};

export type SessionCreateInput = {
  readonly proof: SessionProofInput;
};

export type SessionPasswordInput = {
  /** An email address, phone number or username, in any spelling. */
  readonly identifier: string;
  readonly password: string;
};

/** Exactly one proof. */
export type SessionProofInput =
  {   readonly code: SessionCodeInput; readonly password?: never; readonly transfer?: never; }
  |  { readonly code?: never;   readonly password: SessionPasswordInput; readonly transfer?: never; }
  |  { readonly code?: never; readonly password?: never;   /**
   * The `transferToken` of `signUpVerificationCheck`: what was proven there, at most ten
   * minutes ago, belongs to a user. The sign-up is abandoned then.
   */
  readonly transfer: string; };

export type SessionTokenCreateInput = {
  /** The newest active session where left out. */
  readonly sessionId?: string | number | null | undefined;
};

export type SignUpActionKind =
  /** Call `signUpVerificationCheck`. */
  | 'CHECK_VERIFICATION'
  /** Take the value back with `signUpUpdate` and null. */
  | 'CLEAR'
  /** Give the field a value with `signUpUpdate`. */
  | 'PROVIDE'
  /** Call `signUpVerificationStart`. */
  | 'START_VERIFICATION';

export type SignUpBlockerCode =
  /** The server lacks what is needed to verify the field. */
  | 'CANNOT_BE_VERIFIED'
  /** The settings' `restrictions` do not take the address that the field has. */
  | 'IDENTIFIER_NOT_ALLOWED'
  /** A value turned out to belong to an existing user. */
  | 'IDENTIFIER_TAKEN'
  /** The settings enable nothing to find a user by. */
  | 'NO_IDENTIFIER_ENABLED'
  /** Only invited people can sign up. */
  | 'SIGN_UP_RESTRICTED'
  /** The invitation was revoked, has expired or was used. */
  | 'TICKET_INVALID';

export type SignUpCreateInput = {
  /**
   * What the provider's widget gave. Needed where `publicSettings.botProtection` is not
   * null, also with a ticket; ignored elsewhere. It is good for one call in which nothing
   * else is wrong, also where that one is refused for what it would cost (RATE_LIMITED, BUSY).
   */
  readonly botToken?: string | null | undefined;
  readonly emailAddress?: string | null | undefined;
  readonly firstName?: string | null | undefined;
  /**
   * A value of the client's choice, 1 to 128 characters. Sent again with the same
   * input by the same client within ten minutes, it gives the same result and does
   * nothing twice. A refused call is not remembered, and a caller without a client
   * token is a new client each time.
   */
  readonly idempotencyKey?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  /** True is consent to the document that `publicSettings` names; false withdraws it. */
  readonly legalAccepted?: boolean | null | undefined;
  /**
   * The language that messages are to be in, a tag such as `es-MX` (BCP 47) of at most
   * 35 characters. Where there are none in it, a wider one is looked for (`es`), then the
   * instance's `defaultLocale`. Left out, the `Accept-Language` header of the request
   * counts; null is the instance's default.
   */
  readonly locale?: string | null | undefined;
  readonly password?: string | null | undefined;
  /** With the country code; without one, the instance's default country is assumed. */
  readonly phoneNumber?: string | null | undefined;
  /** Verifications to start in the same call. */
  readonly startVerifications?: ReadonlyArray<VerificationStartInput> | null | undefined;
  /** The ticket of an invitation, `tkt_…`. */
  readonly ticket?: string | null | undefined;
  /** At most 8 KiB; anything the app likes. It is the client's word, not to be trusted. */
  readonly unsafeMetadata?: Record<string, unknown> | null | undefined;
  readonly username?: string | null | undefined;
};

/** A field of a sign-up. */
export type SignUpField =
  | 'EMAIL_ADDRESS'
  /** An account at an OAuth provider. */
  | 'EXTERNAL_ACCOUNT'
  | 'FIRST_NAME'
  | 'LAST_NAME'
  /** Consent to the document that the settings name. */
  | 'LEGAL_ACCEPTED'
  | 'PASSWORD'
  | 'PHONE_NUMBER'
  | 'USERNAME'
  /** A wallet whose control is proven by a signature. */
  | 'WEB3_WALLET';

export type SignUpMode =
  /** Anybody can sign up. */
  | 'PUBLIC'
  /** Only invited people can. */
  | 'RESTRICTED';

export type SignUpRemedy =
  /** Give another value, or clear the field. */
  | 'REPLACE_OR_CLEAR'
  /** Begin again with a valid invitation. */
  | 'USE_INVITATION'
  /** Only the operator can help, by other settings or a sender for messages. */
  | 'WAIT_FOR_OPERATOR';

export type SignUpRequirementReason =
  /** Consent was given to another version of the document. */
  | 'CONSENT_OUTDATED'
  | 'CONSENT_REQUIRED'
  | 'DISABLED_BY_SETTINGS'
  /** Without Progressive Sign Up an external account completes alone. */
  | 'LEGACY_OAUTH_COMPLETES_ALONE'
  /** Without Progressive Sign Up a wallet completes alone. */
  | 'LEGACY_WALLET_COMPLETES_ALONE'
  | 'MUST_BE_VERIFIED'
  /** The settings' `restrictions` do not take the value: give another one, or clear the field, whatever its state. */
  | 'NOT_ALLOWED'
  /** What was given so far cannot be used to sign in alone, so a password is needed. */
  | 'NO_OTHER_WAY_TO_SIGN_IN'
  /** No identifier is required in particular, so one of several is. */
  | 'ONE_OF_REQUIRED'
  /** Another field of the group was given. */
  | 'ONE_OF_SATISFIED'
  /** No identifier is required in particular, and this is the only one there is. */
  | 'ONLY_IDENTIFIER'
  | 'OPTIONAL_BY_SETTINGS'
  /** Without Progressive Sign Up an account counts only with an email address that its provider has verified. */
  | 'PROVIDER_EMAIL_NOT_VERIFIED'
  | 'REQUIRED_BY_SETTINGS'
  /** The value belongs to an existing user: give another one, or clear the field. */
  | 'TAKEN'
  | 'WAIVED_BY_EXTERNAL_ACCOUNT'
  | 'WAIVED_BY_WALLET';

export type SignUpRequirementState =
  /** The settings do not have it. */
  | 'DISABLED'
  /** Required and not given. */
  | 'MISSING'
  /** Neither required nor given. */
  | 'OPTIONAL'
  /** Given, and verified where that is needed. */
  | 'SATISFIED'
  /** Given and still to be verified. */
  | 'UNVERIFIED';

export type SignUpStatus =
  /** The deadline passed, or the client began another sign-up. Final. */
  | 'ABANDONED'
  /** The sign-up has become a user. Final. */
  | 'COMPLETE'
  /** Something is missing, unverified or in the way; see `requirements`. */
  | 'MISSING_REQUIREMENTS';

export type SignUpUpdateInput = {
  /** Clears fields, also those that only a verification can set. */
  readonly clear?: ReadonlyArray<SignUpField> | null | undefined;
  readonly emailAddress?: string | null | undefined;
  readonly firstName?: string | null | undefined;
  /** The client's current sign-up where left out. */
  readonly id?: string | number | null | undefined;
  /** As in `SignUpCreateInput`. */
  readonly idempotencyKey?: string | null | undefined;
  readonly lastName?: string | null | undefined;
  readonly legalAccepted?: boolean | null | undefined;
  /** As in `SignUpCreateInput`, for the messages to come; left out, it stays. */
  readonly locale?: string | null | undefined;
  readonly password?: string | null | undefined;
  readonly phoneNumber?: string | null | undefined;
  readonly startVerifications?: ReadonlyArray<VerificationStartInput> | null | undefined;
  /** Replaces what was there. */
  readonly unsafeMetadata?: Record<string, unknown> | null | undefined;
  readonly username?: string | null | undefined;
};

export type SignUpVerificationCheckInput = {
  readonly id?: string | number | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
  readonly proof: VerificationProofInput;
};

export type SignUpVerificationStartInput = {
  /** As in `VerificationStartInput`. */
  readonly chainId?: number | null | undefined;
  readonly id?: string | number | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
  /** As in `VerificationStartInput`. */
  readonly origin?: string | null | undefined;
  /** As in `VerificationStartInput`. */
  readonly provider?: string | null | undefined;
  /** As in `VerificationStartInput`. */
  readonly redirectUrl?: string | null | undefined;
  readonly strategy: VerificationStrategy;
  /** As in `VerificationStartInput`. */
  readonly web3Wallet?: string | null | undefined;
};

/** Codes are added, never renamed. */
export type UserErrorCode =
  | 'ALREADY_VERIFIED'
  /** It belongs to a sign-up that another client has begun; go on there. */
  | 'BEGUN_ELSEWHERE'
  | 'BELONGS_TO_EXISTING_USER'
  /** The provider that knows about the bot token did not answer; try again, with a new one. */
  | 'BOT_CHECK_UNAVAILABLE'
  /** A bot token is needed; see `publicSettings.botProtection`. */
  | 'BOT_TOKEN_MISSING'
  /** The provider did not take the bot token: used, expired, or made for another site. */
  | 'BOT_TOKEN_REFUSED'
  /** The server has too much to do; see `retryAfter`. */
  | 'BUSY'
  /** This server cannot send such messages. */
  | 'CANNOT_DELIVER'
  /** None of the instance's `web3Wallet.chainIds`. */
  | 'CHAIN_NOT_ALLOWED'
  | 'CODE_INCORRECT'
  /** Others change the same thing at the same time; try again. */
  | 'CONFLICT'
  /** The settings do not have the country of this phone number. */
  | 'COUNTRY_NOT_ALLOWED'
  /** Identifier and password do not belong together. */
  | 'CREDENTIALS_INVALID'
  /** The message could not be handed over; start again. */
  | 'DELIVERY_FAILED'
  /** An empty value where there must be one; null clears. */
  | 'EMPTY'
  /** The external id belongs to another user. */
  | 'EXTERNAL_ID_TAKEN'
  | 'FEATURE_REQUIRES_PROGRESSIVE_SIGN_UP'
  /** The settings do not have this field. */
  | 'FIELD_DISABLED'
  /** The idempotency key was used with another input. */
  | 'IDEMPOTENCY_KEY_REUSED'
  /** The settings' `restrictions` do not take this address, or the one that an account comes with. */
  | 'IDENTIFIER_NOT_ALLOWED'
  /** It belongs to an existing user. */
  | 'IDENTIFIER_TAKEN'
  /** A character that is not allowed there. */
  | 'INVALID_CHARACTER'
  | 'INVALID_FORMAT'
  /** No such telephone number can exist. */
  | 'INVALID_NUMBER'
  | 'INVITATION_NOT_FOUND'
  /** Letters of several scripts, which look alike. */
  | 'MIXED_SCRIPTS'
  /** Nothing was proven in this sign-up that belongs to a user. */
  | 'NOTHING_TO_TRANSFER'
  /** At least one identifier must be enabled. */
  | 'NO_IDENTIFIER'
  /** Users could end with no way to sign in again. */
  | 'NO_WAY_BACK'
  /** None of the instance's `allowedOrigins`. */
  | 'ORIGIN_NOT_ALLOWED'
  /** A number outside the range that the message names. */
  | 'OUT_OF_RANGE'
  /** A password known from breaches. */
  | 'PASSWORD_BREACHED'
  /** A password made of the name, address or app it is for. */
  | 'PASSWORD_FROM_CONTEXT'
  /** A password that many people use. */
  | 'PASSWORD_TOO_COMMON'
  /** Only a verification can set this field. */
  | 'PROOF_NEEDED'
  /** The person refused at the provider. */
  | 'PROVIDER_ACCESS_DENIED'
  | 'PROVIDER_EMAIL_NOT_VERIFIED'
  /** The provider did not take the authorization code: used, expired, or wrong credentials of the app. */
  | 'PROVIDER_EXCHANGE_FAILED'
  /** Another provider answered than the one that was asked (mix-up). */
  | 'PROVIDER_ISSUER_MISMATCH'
  /** The settings have no such provider, or it is off. */
  | 'PROVIDER_NOT_ENABLED'
  /** The provider sent the person back with an error. */
  | 'PROVIDER_REFUSED'
  /** What the provider says about the account does not hold. */
  | 'PROVIDER_TOKEN_INVALID'
  /** The provider could not be reached. */
  | 'PROVIDER_UNAVAILABLE'
  /** Too often; see `retryAfter`. */
  | 'RATE_LIMITED'
  /** None of the instance's `allowedRedirects`. */
  | 'REDIRECT_NOT_ALLOWED'
  | 'REQUIRED_BUT_DISABLED'
  | 'SESSION_ENDED'
  | 'SESSION_NOT_FOUND'
  /** The settings changed meanwhile: something new is needed. */
  | 'SETTINGS_CHANGED'
  /** `s` is in the upper half of the curve's order (EIP-2). */
  | 'SIGNATURE_HIGH_S'
  | 'SIGNATURE_MALFORMED'
  /** Another key has signed, or another text was signed. */
  | 'SIGNATURE_MISMATCH'
  /** The sign-up was abandoned; begin another. */
  | 'SIGN_UP_ABANDONED'
  /** The sign-up is complete and cannot change. */
  | 'SIGN_UP_COMPLETE'
  /** There is no such sign-up for this client. */
  | 'SIGN_UP_NOT_FOUND'
  /** Only invited people can sign up. */
  | 'SIGN_UP_RESTRICTED'
  | 'SIWE_ADDRESS_MISMATCH'
  | 'SIWE_CHAIN_MISMATCH'
  /** The message was made for another site. */
  | 'SIWE_DOMAIN_MISMATCH'
  | 'SIWE_EXPIRATION_MISMATCH'
  | 'SIWE_ISSUED_AT_MISMATCH'
  /** No message of EIP-4361. */
  | 'SIWE_MALFORMED'
  /** The message answers another challenge: it was used, or replaced. */
  | 'SIWE_NONCE_MISMATCH'
  | 'SIWE_NOT_BEFORE_MISMATCH'
  | 'SIWE_REQUEST_ID_MISMATCH'
  | 'SIWE_RESOURCES_MISMATCH'
  | 'SIWE_STATEMENT_MISMATCH'
  | 'SIWE_URI_MISMATCH'
  | 'SIWE_VERSION_MISMATCH'
  /** The settings changed since `expectedVersion`. */
  | 'STALE_VERSION'
  /** This way to verify is not offered. */
  | 'STRATEGY_NOT_AVAILABLE'
  /** The settings take no addresses with a plus sign before the @ sign. */
  | 'SUBADDRESS_NOT_ALLOWED'
  /** The invitation was used, revoked, has expired, or never was. */
  | 'TICKET_INVALID'
  | 'TOO_LONG'
  /** Too many wrong codes; start again. */
  | 'TOO_MANY_GUESSES'
  | 'TOO_SHORT'
  /** A telephone number of a kind that belongs to no person. */
  | 'UNSUPPORTED_NUMBER'
  /** A name that the settings keep from everybody. */
  | 'USERNAME_RESERVED'
  | 'USER_NOT_FOUND'
  /** There is nothing to verify yet. */
  | 'VALUE_MISSING'
  | 'VERIFICATION_EXPIRED'
  | 'VERIFICATION_NOT_STARTED'
  /** No address of a wallet, or a wrong checksum (EIP-55). */
  | 'WALLET_ADDRESS_INVALID'
  /** Nobody who comes in some way could sign up under these settings. */
  | 'WAY_IMPOSSIBLE'
  | 'WEBHOOK_DELIVERY_NOT_FOUND'
  | 'WEBHOOK_ENDPOINT_NOT_FOUND';

/** Exactly one proof. */
export type VerificationProofInput =
  {   /** The code sent to the email address. */
  readonly emailCode: string; readonly emailLink?: never; readonly oauthHandle?: never; readonly phoneCode?: never; readonly web3Signature?: never; }
  |  { readonly emailCode?: never;   /**
   * The parameter `sign_up_link` with which a link in a mail brought the person back.
   * Only the client that began is verified.
   */
  readonly emailLink: string; readonly oauthHandle?: never; readonly phoneCode?: never; readonly web3Signature?: never; }
  |  { readonly emailCode?: never; readonly emailLink?: never;   /** The parameter `sign_up_handle` with which the person came back from the provider. */
  readonly oauthHandle: string; readonly phoneCode?: never; readonly web3Signature?: never; }
  |  { readonly emailCode?: never; readonly emailLink?: never; readonly oauthHandle?: never;   /** The code sent to the phone number. */
  readonly phoneCode: string; readonly web3Signature?: never; }
  |  { readonly emailCode?: never; readonly emailLink?: never; readonly oauthHandle?: never; readonly phoneCode?: never;   readonly web3Signature: Web3SignatureInput; };

/** One verification to start. What the strategy has no use for is ignored. */
export type VerificationStartInput = {
  /** WEB3_SIGNATURE: the chain (EIP-155) that the message names; the first of the settings where left out. */
  readonly chainId?: number | null | undefined;
  /**
   * WEB3_SIGNATURE: the origin of the page that asks, one of `allowedOrigins`; the
   * service's own where left out. Wallets warn of a message made for another page.
   */
  readonly origin?: string | null | undefined;
  /** OAUTH: the provider's name, as in `publicSettings`. */
  readonly provider?: string | null | undefined;
  /**
   * OAUTH, and if you like EMAIL_LINK: where the person comes back to, one of the
   * instance's `allowedRedirects` to the letter; development also allows localhost.
   */
  readonly redirectUrl?: string | null | undefined;
  readonly strategy: VerificationStrategy;
  /** WEB3_SIGNATURE: the wallet's address, 0x and forty hexadecimal digits. */
  readonly web3Wallet?: string | null | undefined;
};

export type VerificationStatus =
  /** The challenge was not answered in time; start again. */
  | 'EXPIRED'
  /** It cannot be answered any more; see `error`, and start again. */
  | 'FAILED'
  /**
   * What was proven belongs to an existing user; `sessionCreate` turns the
   * `transferToken` of that answer into a session.
   */
  | 'TRANSFERABLE'
  /** Started, and not answered yet. */
  | 'UNVERIFIED'
  | 'VERIFIED';

export type VerificationStrategy =
  /** A six-digit code by email. */
  | 'EMAIL_CODE'
  /**
   * A link by email, with a code for those who open their mail elsewhere: it is part of
   * the link's mail, and may be offered, also where EMAIL_CODE cannot be started.
   */
  | 'EMAIL_LINK'
  /** Verified by the provider of the external account. */
  | 'FROM_OAUTH'
  /** OAuth 2.0 or OpenID Connect. */
  | 'OAUTH'
  /** A six-digit code by text message. */
  | 'PHONE_CODE'
  /** Verified by the invitation that was sent there. */
  | 'TICKET'
  /** Sign-In with Ethereum (EIP-4361). */
  | 'WEB3_SIGNATURE';

export type Web3SignatureInput = {
  /** The text as the wallet signed it; that of the challenge where left out. */
  readonly message?: string | null | undefined;
  /** 0x and 130 hexadecimal digits. */
  readonly signature: string;
};

export type SignUpFragment = { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
        | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
        | { readonly __typename: 'MessageChallenge', readonly message: string }
        | { readonly __typename: 'RedirectChallenge', readonly url: string }
       | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
        | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
        | { readonly __typename: 'MessageChallenge', readonly message: string }
        | { readonly __typename: 'RedirectChallenge', readonly url: string }
       | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
        | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
        | { readonly __typename: 'MessageChallenge', readonly message: string }
        | { readonly __typename: 'RedirectChallenge', readonly url: string }
       | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
        | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
        | { readonly __typename: 'MessageChallenge', readonly message: string }
        | { readonly __typename: 'RedirectChallenge', readonly url: string }
       | null } | null }, readonly externalAccount: { readonly provider: string } | null };

export type VerificationFragment = { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
    | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
    | { readonly __typename: 'MessageChallenge', readonly message: string }
    | { readonly __typename: 'RedirectChallenge', readonly url: string }
   | null };

export type UserErrorFragment = { readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null };

export type SettingsFragment = { readonly version: number, readonly appName: string, readonly progressiveSignUp: boolean, readonly signUpMode: SignUpMode, readonly chainIds: ReadonlyArray<number>, readonly defaultCountry: string | null, readonly phoneCountries: ReadonlyArray<string>, readonly testMode: boolean, readonly fields: ReadonlyArray<{ readonly field: SignUpField, readonly required: boolean, readonly verifyAtSignUp: boolean, readonly strategies: ReadonlyArray<VerificationStrategy> }>, readonly password: { readonly minLength: number, readonly maxLength: number }, readonly username: { readonly minLength: number, readonly maxLength: number }, readonly providers: ReadonlyArray<{ readonly name: string, readonly displayName: string, readonly preset: ProviderPreset | null }>, readonly legalConsent: { readonly documentVersion: string, readonly documentUrl: string | null, readonly documents: ReadonlyArray<{ readonly name: string, readonly url: string }> } | null, readonly botProtection: { readonly provider: BotProtectionProvider, readonly siteKey: string } | null };

export type NowQueryVariables = Exact<{
  id?: string | number | null | undefined;
}>;


export type NowQuery = { readonly signUp: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null }, readonly externalAccount: { readonly provider: string } | null } | null, readonly client: { readonly activeSession: { readonly id: string, readonly userId: string } | null } | null, readonly publicSettings: { readonly version: number, readonly appName: string, readonly progressiveSignUp: boolean, readonly signUpMode: SignUpMode, readonly chainIds: ReadonlyArray<number>, readonly defaultCountry: string | null, readonly phoneCountries: ReadonlyArray<string>, readonly testMode: boolean, readonly fields: ReadonlyArray<{ readonly field: SignUpField, readonly required: boolean, readonly verifyAtSignUp: boolean, readonly strategies: ReadonlyArray<VerificationStrategy> }>, readonly password: { readonly minLength: number, readonly maxLength: number }, readonly username: { readonly minLength: number, readonly maxLength: number }, readonly providers: ReadonlyArray<{ readonly name: string, readonly displayName: string, readonly preset: ProviderPreset | null }>, readonly legalConsent: { readonly documentVersion: string, readonly documentUrl: string | null, readonly documents: ReadonlyArray<{ readonly name: string, readonly url: string }> } | null, readonly botProtection: { readonly provider: BotProtectionProvider, readonly siteKey: string } | null } };

export type SettingsQueryVariables = Exact<{ [key: string]: never; }>;


export type SettingsQuery = { readonly publicSettings: { readonly version: number, readonly appName: string, readonly progressiveSignUp: boolean, readonly signUpMode: SignUpMode, readonly chainIds: ReadonlyArray<number>, readonly defaultCountry: string | null, readonly phoneCountries: ReadonlyArray<string>, readonly testMode: boolean, readonly fields: ReadonlyArray<{ readonly field: SignUpField, readonly required: boolean, readonly verifyAtSignUp: boolean, readonly strategies: ReadonlyArray<VerificationStrategy> }>, readonly password: { readonly minLength: number, readonly maxLength: number }, readonly username: { readonly minLength: number, readonly maxLength: number }, readonly providers: ReadonlyArray<{ readonly name: string, readonly displayName: string, readonly preset: ProviderPreset | null }>, readonly legalConsent: { readonly documentVersion: string, readonly documentUrl: string | null, readonly documents: ReadonlyArray<{ readonly name: string, readonly url: string }> } | null, readonly botProtection: { readonly provider: BotProtectionProvider, readonly siteKey: string } | null } };

export type CreateMutationVariables = Exact<{
  input: SignUpCreateInput;
}>;


export type CreateMutation = { readonly outcome: { readonly signUp: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null }, readonly externalAccount: { readonly provider: string } | null } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type UpdateMutationVariables = Exact<{
  input: SignUpUpdateInput;
}>;


export type UpdateMutation = { readonly outcome: { readonly signUp: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null }, readonly externalAccount: { readonly provider: string } | null } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type StartMutationVariables = Exact<{
  input: SignUpVerificationStartInput;
}>;


export type StartMutation = { readonly outcome: { readonly signUp: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null }, readonly externalAccount: { readonly provider: string } | null } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type CheckMutationVariables = Exact<{
  input: SignUpVerificationCheckInput;
}>;


export type CheckMutation = { readonly outcome: { readonly transferToken: string | null, readonly signUp: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
            | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
            | { readonly __typename: 'MessageChallenge', readonly message: string }
            | { readonly __typename: 'RedirectChallenge', readonly url: string }
           | null } | null }, readonly externalAccount: { readonly provider: string } | null } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type SignInMutationVariables = Exact<{
  input: SessionCreateInput;
}>;


export type SignInMutation = { readonly outcome: { readonly session: { readonly id: string, readonly userId: string } | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type SessionTokenMutationVariables = Exact<{
  input: SessionTokenCreateInput;
}>;


export type SessionTokenMutation = { readonly outcome: { readonly token: string | null, readonly expireAt: string | null, readonly userErrors: ReadonlyArray<{ readonly code: UserErrorCode, readonly message: string, readonly attribute: SignUpField | null, readonly field: ReadonlyArray<string> | null, readonly retryAfter: string | null }> } };

export type WatchSubscriptionVariables = Exact<{
  id: string | number;
}>;


export type WatchSubscription = { readonly signUpStatusChanged: { readonly id: string, readonly status: SignUpStatus, readonly revision: number, readonly settingsVersion: number, readonly requiredFields: ReadonlyArray<SignUpField>, readonly optionalFields: ReadonlyArray<SignUpField>, readonly missingFields: ReadonlyArray<SignUpField>, readonly unverifiedFields: ReadonlyArray<SignUpField>, readonly awaitsOwner: boolean, readonly emailAddress: string | null, readonly phoneNumber: string | null, readonly username: string | null, readonly firstName: string | null, readonly lastName: string | null, readonly web3Wallet: string | null, readonly passwordEnabled: boolean, readonly legalAcceptedAt: string | null, readonly unsafeMetadata: Record<string, unknown>, readonly createdUserId: string | null, readonly createdSessionId: string | null, readonly abandonAt: string, readonly blockers: ReadonlyArray<{ readonly code: SignUpBlockerCode, readonly message: string, readonly attribute: SignUpField | null, readonly remedy: SignUpRemedy }>, readonly requirements: ReadonlyArray<{ readonly field: SignUpField, readonly state: SignUpRequirementState, readonly reason: SignUpRequirementReason, readonly oneOf: ReadonlyArray<SignUpField>, readonly actions: ReadonlyArray<{ readonly kind: SignUpActionKind, readonly strategies: ReadonlyArray<VerificationStrategy> }> }>, readonly verifications: { readonly emailAddress: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly phoneNumber: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly web3Wallet: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null, readonly externalAccount: { readonly status: VerificationStatus, readonly strategy: VerificationStrategy, readonly provider: string | null, readonly attemptsLeft: number | null, readonly expireAt: string | null, readonly error: { readonly code: UserErrorCode, readonly message: string } | null, readonly challenge:
          | { readonly __typename: 'CodeChallenge', readonly sentTo: string, readonly resendAt: string }
          | { readonly __typename: 'MessageChallenge', readonly message: string }
          | { readonly __typename: 'RedirectChallenge', readonly url: string }
         | null } | null }, readonly externalAccount: { readonly provider: string } | null } };
