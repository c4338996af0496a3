/** What the page says of an invoice, or of what is paid ahead, and of the payment that there is. */
export interface PayPage { /** Of the invoice, where there is one. */ readonly number?: string; readonly amount: string; readonly currency: string; readonly state: 'due' | 'no_method' | 'no_card' | 'card_entered' | 'enter_card' | 'too_fine' | 'under_way' | 'confirm' | 'paid' | 'void' | 'ahead' | 'declined'; readonly confirmUrl?: string; /** The page of the provider at which a card is entered. */ readonly cardUrl?: string; /** Where the form for it leads. */ readonly cardPath?: string }

/** Nothing is loaded from anywhere, no script runs, nobody frames it; forms lead here, and to the page of the provider. */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; style-src 'sha256-STYLE'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
};
export const STYLE = 'body{font:1.1rem/1.5 sans-serif;margin:0 auto;max-width:32rem;padding:1.5rem;color:#111;background:#fff}button,a.button{font:inherit;display:inline-block;padding:.7rem 1.2rem;border:2px solid #0b4f9e;border-radius:.3rem;background:#0b4f9e;color:#fff;text-decoration:none}:focus-visible{outline:3px solid #b45309;outline-offset:2px}dt{color:#444}dd{margin:0 0 .8rem;font-size:1.4rem;overflow-wrap:anywhere}';

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
export const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (one) => ESCAPES[one]!);

const SAYS: Readonly<Record<PayPage['state'], string>> = {
  due: 'This invoice is due.', no_method: 'There is no payment method on file. Please write to whoever sent you the invoice.',
  no_card: 'There is no card on file. The card that you enter is kept, and charged for what is due.', card_entered: 'If you have entered a card it is being saved. Please look again in a moment.', enter_card: 'You enter your card at a page of the payment provider, which leads you back here.',
  too_fine: 'This amount cannot be paid by the payment method on file. Please write to whoever sent you the invoice.', under_way: 'A payment is under way. You do not have to do anything.', confirm: 'Your bank asks you to confirm this payment.',
  paid: 'This invoice is paid. Thank you.', void: 'This invoice is void. Nothing is to be paid.',
  ahead: 'Your payment has come in. Thank you.', declined: 'Your bank has declined this payment. Nothing was charged.',
};
const around = (title: string, main: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title><style>${STYLE}</style></head><body><main><h1>${title}</h1>${main}</main></body></html>`;

/** The page that a customer pays at, without any script. */
export const payPage = ({ number, amount, currency, state, confirmUrl, cardUrl, cardPath }: PayPage): string => {
  const act = state === 'due' ? `<form method="post"><button>Pay ${escaped(amount)} ${escaped(currency)} now</button></form>`
    : state === 'confirm' && confirmUrl !== undefined ? `<p><a class="button" href="${escaped(confirmUrl)}">Go to your bank</a></p>`
      : (state === 'no_card' || state === 'card_entered') && cardPath !== undefined ? `<form method="post" action="${escaped(cardPath)}"><button>Enter a card</button></form>`
        : state === 'enter_card' && cardUrl !== undefined ? `<p><a class="button" href="${escaped(cardUrl)}">Go on to enter your card</a></p>` : '';
  return around(number === undefined ? 'Your payment' : 'Your invoice', `<dl>${number === undefined ? '' : `<dt>Invoice</dt><dd>${escaped(number)}</dd>`}<dt>Amount</dt><dd>${escaped(amount)} ${escaped(currency)}</dd></dl><p role="status">${SAYS[state]}</p>${act}`);
};
export const noSuchPage = (): string => around('No such invoice', '<p>This link is not valid, or not any more. Please ask whoever sent it to you for a new one.</p>');
