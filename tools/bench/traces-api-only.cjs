// Switches spans on without the SDK that would take them: what the API alone costs.
require('../../libs/event-log/dist/tracing.js').switchTracing(true);
