import { ValidationPipe } from '@nestjs/common';
import type { ValidationError } from 'class-validator';
import { type FieldFault, invalidRequest } from '../problem/problem';
import { pointerPart } from './field-rules';

/** Faults that class-validator finds by itself, in our words. */
const OWN_CONSTRAINTS: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  whitelistValidation: ['unknown_field', 'there is no such field'],
  nestedValidation: ['object_expected', 'an object is expected'],
  unknownValue: ['invalid_value', 'is not what is expected here'],
  isDefined: ['missing_field', 'is required'],
};
/** More would help nobody and make the answer larger than the request. */
const FAULTS_MAX = 100;

/**
 * Validates every body, query and parameter that is typed as a class: unknown fields are refused, and every fault of a
 * request comes back at once, as `invalid_request` with a pointer and a code for each.
 */
export const validationPipe = (): ValidationPipe => new ValidationPipe({
  transform: true,
  whitelist: true,
  forbidNonWhitelisted: true,
  validationError: { target: false },
  exceptionFactory: (errors) => invalidRequest(faultsOf(errors).slice(0, FAULTS_MAX)),
});

/** The faults of a tree of class-validator's errors, depth first. */
export function faultsOf(errors: readonly ValidationError[], above = ''): FieldFault[] {
  return errors.flatMap((error) => {
    const pointer = `${above}/${pointerPart(error.property)}`;
    const constraints = Object.entries(error.constraints ?? {});
    const own = constraints.find(([name]) => name === 'field') ?? constraints[0];
    if (own) return [ownFault(pointer, own)];
    return faultsOf(error.children ?? [], pointer);
  });
}

function ownFault(pointer: string, [name, message]: [string, string]): FieldFault {
  if (name === 'field') {
    const [code, detail, within] = JSON.parse(message) as [string, string, string];
    return { pointer: pointer + within, code, detail };
  }
  const [code, detail] = OWN_CONSTRAINTS[name] ?? ['invalid_value', message];
  return { pointer, code, detail };
}
