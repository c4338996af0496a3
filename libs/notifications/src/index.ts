export { notificationsContext, notificationsShape, type NotificationsDeps } from './notifications.context';
export { MailNotSent, type Mail, type MailTransport } from './transport/mail-transport';
export { smtpTransport } from './transport/smtp-transport';
export { startInbox, type Inbox, type InboxOptions } from './inbox/inbox';
export { InboxModule } from './inbox/inbox.module';
