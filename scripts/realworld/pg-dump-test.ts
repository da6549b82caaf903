/** The objects by which PostgreSQL tests `pg_dump` itself: one of each kind, with names that need quoting. */
import { execFile, execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Site } from './regression.ts'

const run = promisify(execFile)

/** Prints the SQL of the hash `%tests` in the order in which the test itself creates it, for one database. */
const EXTRACT = String.raw`
  local $/; open my $file, '<', $ARGV[0] or die; my $text = <$file>;
  my ($hash) = $text =~ /^(my %tests = \(\n.*?)^#{20,}$/ms or die 'no %tests';
  our (%full_runs, %dump_test_schema_runs, %pgdump_runs, $tempdir);
  my %tests; $hash =~ s/^my //; eval $hash; die $@ if $@;
  my $order = sub { $tests{$_[0]}{create_order} || 1e9 };
  for my $name (sort { $order->($a) <=> $order->($b) or $a cmp $b } keys %tests) {
    my $test = $tests{$name};
    next if !$test->{create_sql} or ($test->{database} // 'postgres') ne 'postgres';
    print "$test->{create_sql}\n;\n";
  }`

/** Creates them. What the server does not know is left out. */
export async function buildPgDumpTest(site: Site, database: string): Promise<void> {
  const { postgres, client, release } = site
  const file = join(release.source, 'src/bin/pg_dump/t/002_pg_dump.pl')
  const sql = execFileSync('perl', ['-e', EXTRACT, file], { encoding: 'utf8', maxBuffer: 1 << 26 })
  await postgres.createDatabase(database, "template template0 encoding 'UTF8'")
  const env = { PATH: process.env.PATH, ...postgres.env(database) }
  const child = run(client.psql, ['-X', '-q'], { env, maxBuffer: 1 << 26 })
  child.child.stdin!.end(sql)
  const { stderr } = await child
  for (const line of stderr.split('\n').filter((line) => line.startsWith('ERROR')))
    console.log(`  left out: ${line}`)
}
