// What the types must refuse. The compiler reports an expectation that is not
// met, so this file compiles only while each of these is an error.
import type { SignUpField, SignUpStateFragment, VerificationProofInput } from './generated.js';

// @ts-expect-error two proofs at once
export const both: VerificationProofInput = { emailCode: '123456', phoneCode: '123456' };

// @ts-expect-error no proof
export const none: VerificationProofInput = {};

// @ts-expect-error not a field
export const unknown: SignUpField = 'EMAIL';

// @ts-expect-error null until the sign-up is complete
export const early = (state: SignUpStateFragment): string => state.createdUserId;
