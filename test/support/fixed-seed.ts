import { configureGlobal } from 'fast-check';

/**
 * The seed of all properties, before any test runs: what failed fails again, and nothing fails by chance. To look for cases that nobody has seen
 * yet: `POINTSMAN_TEST_SEED=$RANDOM bin/bun test ...`.
 */
configureGlobal({ seed: Number(process.env['POINTSMAN_TEST_SEED'] ?? 20_261_121) });
