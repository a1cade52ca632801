// Runs SQL in DuckDB and prints the milliseconds of each statement, and what its first row holds: node duckdb.mjs THREADS STATEMENT...
// The node that starts and the library that loads are not in them: they are no part of what DuckDB does.
import { DuckDBInstance } from '@duckdb/node-api';

const [threads, ...statements] = process.argv.slice(2);
const instance = await DuckDBInstance.create(':memory:', { threads });
const connection = await instance.connect();
for (const statement of statements) {
  const begun = performance.now();
  const reader = await connection.runAndReadAll(statement);
  const took = performance.now() - begun;
  console.log(`${took}\t${(reader.getRows()[0] ?? []).join(',')}`);
}
