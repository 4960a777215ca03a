// What an answer took. Segments may be as events or as sessions have them.

export function figures(segments) {
  if (!segments.length) return "";
  const models = [...new Set(segments.map((each) => `${each.provider}/${each.model}`))];
  const sum = (of) => segments.reduce((all, each) => all + (of(each) ?? 0), 0);
  const tokens = sum((each) => each.output_tokens ?? each.usage?.output_tokens);
  const asked = sum((each) => each.input_tokens ?? each.usage?.input_tokens);
  const seconds = sum((each) => each.duration_ms ?? each.timing?.duration_ms) / 1000;
  const first = segments[0].first_token_ms ?? segments[0].timing?.first_token_ms;
  const cost = sum((each) => each.cost);
  const parts = [models.join(", ")];
  if (segments.length > 1) parts.push(`${segments.length} parts`);
  if (tokens) parts.push(`${asked.toLocaleString("en")} + ${tokens.toLocaleString("en")} tokens`);
  if (tokens && seconds > 0.5) parts.push(`${Math.round(tokens / seconds)} a second`);
  if (first != null) parts.push(`first after ${(first / 1000).toFixed(1)} s`);
  if (cost) parts.push(`cost ${cost.toFixed(4)}`);
  return parts.join(" · ");
}
