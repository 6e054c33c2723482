import type { Report } from './report.ts';
import { describeRun, describeScenario } from './report.ts';
import type { ScenarioResult } from './results.ts';

const INTRODUCTION = `# Results

What one request costs in nginx, HAProxy and Pointsman: one worker each, measured in one run, in turn. Written by
\`npm run bench -- --write\`, which replaces the sections of the scenarios that it ran; [README.md](README.md) says
what is measured and how. CPU time is that of the proxy with all its processes. Figures are medians over the rounds;
ratios are taken round by round, then their median (smallest to largest). Below 1.00 is better for CPU and latency,
above 1.00 for requests a second. Only ratios carry over to other machines.
`;

/** The results file with the sections of `report` in place of older ones of the same name. */
export function mergeResults(existing: string, report: Report): string {
  const sections = new Map<string, string>();
  for (const section of existing.split(/^(?=## )/m)) {
    const name = /^## (.+)\n/.exec(section)?.[1];
    if (name !== undefined) sections.set(name, section.trimEnd());
  }
  for (const scenario of report.scenarios) {
    const name = sectionName(scenario);
    sections.set(name, `## ${name}\n\n${describeScenario(scenario)}\n\n${describeRun(report)}`);
  }
  return `${[INTRODUCTION.trimEnd(), ...sections.values()].join('\n\n')}\n`;
}

/** Heading of a scenario's section. */
export function sectionName(scenario: ScenarioResult): string {
  return scenario.plain ? `${scenario.name}, others without added headers` : scenario.name;
}
