-- Changes in a JSON text without taking it apart: the gateway must not reorder or reformat what a
-- client wrote. Strings are skipped as strings, so text that looks like JSON stays text.

-- Where the value of a key of the outermost object begins, or nil.
local function value_of(text, wanted)
  local depth, at = 0, 1
  while true do
    at = text:find('["{}%[%]]', at)
    if not at then
      return nil
    end
    local c = text:byte(at)
    if c == 34 then
      local last = at + 1
      while true do
        last = text:find('["\\]', last)
        if not last then
          return nil
        end
        if text:byte(last) == 34 then
          break
        end
        last = last + 2
      end
      local value = depth == 1 and text:match("^%s*:%s*()", last + 1)
      if value and text:sub(at + 1, last - 1) == wanted then
        return value
      end
      at = last + 1
    else
      depth = depth + ((c == 123 or c == 91) and 1 or -1)
      at = at + 1
    end
  end
end

-- The text with another string as the value of a key that has one.
local function with_string(text, key, new)
  local value = value_of(text, key)
  local after = value and text:match('^"[^"\\]*"()', value)
  if not after then
    return text
  end
  return text:sub(1, value - 1) .. '"' .. new .. '"' .. text:sub(after)
end

-- The text with one more member; as the last one it wins over an earlier one of its name.
local function with_member(text, member)
  local body = text:match("^(.*)}%s*$")
  return body and (body .. "," .. member .. "}") or text
end
