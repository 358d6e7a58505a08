"""Tokens of an answer are counted before its end is handed out.

Envoy's own charge at the end of a stream runs beside the client's next question, and several can be
on their way when a counter is replaced. Here the last bytes wait, so a client that waits for its
answers never has more than one that is not counted. Envoy's own charge stays for what this one
could not settle: an answer that was cut off, a service that stayed away.
"""

from typing import Any

from components.envoy_clusters import dns_cluster
from components.ratelimit_config import LimitsConfig
from components.ratelimit_rules import DOMAIN, entries

COUNTS_CLUSTER = "ratelimit-counts"
COUNTS_PORT = 8082
"""HTTP port of the rate limit service, which takes at `/json` what its gRPC port takes."""
UNPAID = "unpaid_tokens"
_RETRY = "5xx,reset,connect-failure,refused-stream,retriable-status-codes"

REMEMBER = """
  local asker = handle:headers()
  local asked = handle:streamInfo():dynamicMetadata()
  asked:set("{request}", "counted_tenant", asker:get("{tenant}") or "")
  asked:set("{request}", "counted_model", asker:get("{model}") or "")
"""
"""Lua of the request's way: the answer's way knows no headers of the request."""

_CHARGE = """
local function quoted(text)
  return '"' .. text:gsub('[%c"\\\\]', function(c)
    return string.format("\\\\u%04x", c:byte())
  end) .. '"'
end

local function descriptors(tenant, model, tokens)
  local found = {{}}
  local last = '],"hitsAddend":"' .. string.format("%d", tokens) .. '"}}'
{groups}
  return table.concat(found, ",")
end

function envoy_on_response(handle)
  for _ in handle:bodyChunks() do
  end
  local metadata = handle:streamInfo():dynamicMetadata()
  local who, usage = metadata:get("{request}"), metadata:get("{response}")
  local tenant, tokens = who and who["counted_tenant"], usage and usage["{unpaid}"]
  if type(tokens) ~= "number" or tokens < 1 or not tenant or tenant == "" then
    return
  end
  local listed = descriptors(tenant, who["counted_model"] or "", tokens)
  local answer = handle:httpCall("{cluster}", {{
    [":method"] = "POST",
    [":path"] = "/json",
    [":authority"] = "{cluster}",
    ["content-type"] = "application/json",
    ["x-envoy-retry-on"] = "{retry}",
    ["x-envoy-retriable-status-codes"] = "400",
    ["x-envoy-max-retries"] = "{retries}",
  }}, '{{"domain":"{domain}","descriptors":[' .. listed .. ']}}', {timeout})
  local status = answer and answer[":status"]
  if status == "200" or status == "429" then
    -- what was looked up before a wait may not be used after it
    handle:streamInfo():dynamicMetadata():set("{response}", "{unpaid}", 0)
  end
end
"""


def charge_script(limits: LimitsConfig, *, request: str, response: str) -> str:
    """Lua of the answer's way; `request` and `response` are the namespaces of the metadata.

    The service answers 400 while it has no store, and 429 when it has counted beyond a limit.
    """
    return _CHARGE.format(
        groups="\n".join(_group(entries(first)) for first in _token_groups(limits)),
        request=request,
        response=response,
        unpaid=UNPAID,
        cluster=COUNTS_CLUSTER,
        domain=DOMAIN,
        retry=_RETRY,
        retries=max(5, limits.timeout_milliseconds // 100),
        timeout=limits.timeout_milliseconds,
    )


def _token_groups(limits: LimitsConfig) -> list[Any]:
    return [first for first in limits.groups if first.kind == "tokens"]


def _group(listed: list[tuple[str, str | None, str]]) -> str:
    """The Lua that adds one descriptor; one that counts by model needs a model."""
    values = ["quoted(tenant)", "quoted(model)"]
    parts = []
    for key, value, _header in listed:
        text = f"'\"{value}\"'" if value is not None else values.pop(0)
        parts.append(f'\'{{"key":"{key}","value":\' .. {text} .. \'}}\'')
    entry = " .. ',' .. ".join(parts)
    added = f"found[#found + 1] = '{{\"entries\":[' .. {entry} .. last"
    return f"  {added}" if values else f'  if model ~= "" then\n    {added}\n  end'


def counts_cluster(host: str) -> dict[str, Any]:
    """The rate limit service by HTTP."""
    cluster = dns_cluster(COUNTS_CLUSTER, ((host, COUNTS_PORT),))
    cluster["connect_timeout"] = "0.25s"
    # Nobody is left to tell once all are left out.
    cluster["outlier_detection"]["max_ejection_percent"] = 50
    return cluster
