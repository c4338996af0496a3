/** A mail as it goes out. All texts are one customer's own; the transport keeps them out of headers that they do not belong to. */
export interface Mail {
  /** The id of the message: the same mail, sent again, has the same `Message-ID`. */
  readonly messageId: string;
  /** One address. */
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Wall time. */
  readonly sentAt: string;
  readonly attachments: readonly { readonly fileName: string; readonly content: Buffer; readonly contentType: string }[];
}

/** The server surely did not take the mail. `isFinal`: it will not take it at another time either. The message names no customer: it is kept in plain. */
export class MailNotSent extends Error {
  constructor(message: string, readonly isFinal: boolean) { super(message); }
}

/** Hands a mail to a server. Throws `MailNotSent` where it was surely not taken; any other error means that nobody knows. */
export interface MailTransport {
  send(mail: Mail): Promise<{ readonly transportId: string }>;
}
