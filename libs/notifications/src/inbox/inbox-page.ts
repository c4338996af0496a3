import { createHash } from 'node:crypto';
import { escapeHtml } from '../messages/domain/templates';
import type { InboxLine, InboxMail } from './mail-book';

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; color: #1b1b1f; background: #fff; }
a { color: #0b57d0; } a:focus-visible { outline: 3px solid #0b57d0; outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .5rem; border-bottom: 1px solid #767680; vertical-align: top; overflow-wrap: anywhere; }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #767680; padding: 1rem; }
iframe { width: 100%; height: 24rem; border: 1px solid #767680; background: #fff; }
@media (prefers-color-scheme: dark) { body { color: #e4e4e9; background: #16161a; } a { color: #a8c7fa; } }
`;
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Nothing is loaded and nothing runs; the one style sheet is known by its hash. A mail that is shown in a frame lives under the same policy. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

const page = (title: string, content: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>
${content}
</body></html>
`;

const lineOf = ({ id, from, to, subject, receivedAt }: InboxLine): string => `<tr>
<td><a href="/mail/${escapeHtml(id)}">${escapeHtml(subject) || '(no subject)'}</a></td><td>${escapeHtml(to)}</td><td>${escapeHtml(from)}</td><td><time datetime="${escapeHtml(receivedAt)}">${escapeHtml(receivedAt)}</time></td>
</tr>`;

export const listPage = (mails: readonly InboxLine[]): string => page('Mail', `<header><h1>Mail</h1><p>What was sent from this machine. It goes nowhere else.</p></header>
<main>${mails.length === 0 ? '<p>No mail has been sent yet.</p>' : `<table>
<caption>Newest first</caption>
<thead><tr><th scope="col">Subject</th><th scope="col">To</th><th scope="col">From</th><th scope="col">Received</th></tr></thead>
<tbody>${mails.map(lineOf).join('\n')}</tbody></table>`}</main>`);

export const mailPage = (mail: InboxMail): string => page(mail.subject, `<nav aria-label="Mail"><a href="/mail">All mail</a></nav>
<main><h1>${escapeHtml(mail.subject) || '(no subject)'}</h1>
<dl><dt>To</dt><dd>${escapeHtml(mail.to)}</dd><dt>From</dt><dd>${escapeHtml(mail.from)}</dd><dt>Received</dt><dd>${escapeHtml(mail.receivedAt)}</dd><dt>Message-ID</dt><dd>${escapeHtml(mail.messageId)}</dd></dl>
${mail.attachments.length === 0 ? '' : `<h2>Attachments</h2>
<ul>${mail.attachments.map(({ fileName, bytes }, index) => `<li><a href="/mail/${escapeHtml(mail.id)}/attachments/${index}" download>${escapeHtml(fileName)}</a> (${bytes} bytes)</li>`).join('')}</ul>`}
<h2>Text</h2>
<pre tabindex="0">${escapeHtml(mail.text)}</pre>
${mail.html === '' ? '' : `<h2>HTML</h2>
<iframe title="The HTML of this mail" sandbox="" srcdoc="${escapeHtml(mail.html)}"></iframe>`}</main>`);
