/** The service that hosts notifications, for its controllers: in the embedded edition there are four services in one process. */
export const NOTIFICATIONS_SERVICE = Symbol('NotificationsService');
