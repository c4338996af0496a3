// A worker ends with the process that started it, however that one ended.
process.stdin.on('end', () => process.exit(1)).on('error', () => process.exit(1)).resume();
