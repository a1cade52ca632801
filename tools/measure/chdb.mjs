// Runs SQL in chDB and prints the milliseconds of each statement, and its first row: node chdb.mjs DIRECTORY STATEMENT...
// The node that starts and the library that loads are not in them.
import { Session } from 'chdb';

const [directory, ...statements] = process.argv.slice(2);
const session = new Session(directory);
for (const statement of statements) {
  const begun = performance.now();
  const rows = session.query(statement, 'CSV');
  const took = performance.now() - begun;
  console.log(`${took}\t${String(rows ?? '').split('\n')[0]}`);
}
