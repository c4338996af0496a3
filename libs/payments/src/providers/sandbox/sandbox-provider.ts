import type { ChargeOrder, DeclineClass, PaymentProvider, ProviderAnswer } from '../provider';
import type { BookEntry, SandboxBank } from './sandbox-bank';

export const SANDBOX = 'sandbox';

/** What the sandbox's decline codes mean for collecting: whether the same card may work another day. */
const CLASSES: Readonly<Record<string, DeclineClass>> = { insufficient_funds: 'soft' };

const answerOf = ({ status, reference, amountMinor, currency, declineCode }: BookEntry): ProviderAnswer => {
  if (status === 'succeeded') return { status, reference, amountMinor, currency };
  const code = declineCode ?? 'declined';
  return { status, code, class: CLASSES[code] ?? 'hard' };
};

/** The sandbox in the words of the port. */
export class SandboxProvider implements PaymentProvider {
  readonly name = SANDBOX;

  constructor(private readonly bank: SandboxBank) {}

  async knowsToken(_tenant: string, token: string): Promise<boolean> { return this.bank.isToken(token); }

  async charge({ tenant, ...order }: ChargeOrder): Promise<ProviderAnswer> { return answerOf(await this.bank.charge(tenant, order)); }

  async find({ tenant, key }: Pick<ChargeOrder, 'tenant' | 'key'>): Promise<ProviderAnswer | undefined> {
    const entry = await this.bank.find(tenant, key);
    return entry === undefined ? undefined : answerOf(entry);
  }
}
