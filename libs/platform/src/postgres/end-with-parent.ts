import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

const SCRIPT = `
read -r _
kill -"$1" "$2" 2>/dev/null
[ -n "$3" ] || exit 0
left=300
while kill -0 "$2" 2>/dev/null && [ "$left" -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
rm -rf -- "$3"`;

/**
 * Ends a child process when this one dies, even by kill -9, when no handler of ours runs: a small shell waits on a pipe
 * that the system closes with us, then sends `signal` to `pid` and removes `folder` when one is named.
 * Returns the function that calls the watch off; call it before the child's number can belong to another process.
 */
export function endWithParent(pid: number, signal: 'INT' | 'TERM', folder = ''): () => void {
  if (process.platform === 'win32') return () => undefined;
  const watcher = spawn('/bin/sh', ['-c', SCRIPT, 'end-with-parent', signal, String(pid), folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.on('error', () => undefined);
  watcher.unref();
  (watcher.stdin as unknown as Socket).unref();
  return () => {
    watcher.kill('SIGKILL');
    watcher.stdin.destroy();
  };
}
