-- Terms of the glossary become links where a page first uses them. A Pandoc filter: Quarto and the embedded
-- builder run it alike. A page says `glossary-links: false` to stay as it is, and a term that is also an
-- everyday word has the class `everyday` in glossary.qmd and is never linked.

local PAGE = "/glossary.qmd"
local root = quarto and quarto.project and quarto.project.directory or os.getenv("QUARTO_PROJECT_DIR") or "."

-- "MFU (model FLOP utilization)" is written either way; "Parameter, weight" are two words for one thing.
local function spellings(title)
  local found, inside = {}, title:match("%((.-)%)")
  for part in (title:gsub("%s*%(.-%)", "") .. "," .. (inside or "")):gmatch("[^,]+") do
    local text = part:gsub("^%s+", ""):gsub("%s+$", "")
    if #text > 2 then found[#found + 1] = text:lower() end
  end
  return found
end

-- Each term as spelling -> {id, definition}; the definition is the first sentence after the term.
local function read_terms()
  local file = assert(io.open(root .. PAGE, "r"), "glossary.lua: there is no " .. root .. PAGE)
  local terms, text = {}, file:read("a")
  file:close()
  for block in (text .. "\n\n"):gmatch("(.-)\n\n+") do
    local title, attributes, definition = block:match("^%s*%[([^%]\n]+)%]{(#[^}\n]+)}\n: +(.*)$")
    if title and not attributes:match("%.everyday") then
      local first = (definition:gsub("%s+", " ") .. " "):match("^(.-[%.;:]) ") or definition
      first = first:gsub(" %[@[^%]]*%]", ""):gsub("%[([^%]]*)%]%b()", "%1"):gsub("[`*]", ""):gsub("[;:]$", ".")
      if not first:match("{python}") then
        local entry = {id = attributes:match("^#(%S+)"), text = first}
        for _, spelling in ipairs(spellings(title)) do terms[spelling] = entry end
      end
    end
  end
  return terms
end

local function bare(word) return (word:gsub("^[%(“\"]+", ""):gsub("[%.,;:!?%)”\"]+$", "")) end

-- The term that begins at a position of a run of words, as its entry and its number of elements.
local function term_at(terms, inlines, at)
  local best, size
  local phrase = ""
  for last = at, math.min(at + 6, #inlines) do
    local element = inlines[last]
    if element.t == "Str" then
      phrase = phrase .. element.text:lower()
      local wanted = bare(phrase)
      local entry = terms[wanted] or terms[wanted:match("^(.*[^s])s$") or ""]
      if entry and element.text:match("^[%(“\"]*%w") then best, size = entry, last - at + 1 end
      if element.text:match("[%.,;:!?%)]$") then break end
    elseif element.t == "Space" or element.t == "SoftBreak" then
      phrase = phrase .. " "
    else
      break
    end
  end
  return best, size
end

-- The elements of a term, without the marks around it, which stay outside the link.
local function linked(entry, elements)
  local first, last = elements[1].text, elements[#elements].text
  local before = first:match("^[%(“\"]+") or ""
  local after = last:match("[%.,;:!?%)”\"]+$") or ""
  elements[1] = pandoc.Str(first:sub(#before + 1))
  last = elements[#elements].text
  elements[#elements] = pandoc.Str(last:sub(1, #last - #after))
  local out = pandoc.List {}
  if before ~= "" then out:insert(pandoc.Str(before)) end
  out:insert(pandoc.Link(elements, PAGE .. "#" .. entry.id, entry.text, pandoc.Attr("", {"term"})))
  if after ~= "" then out:insert(pandoc.Str(after)) end
  return out
end

local SKIPPED = {"Link", "Cite", "Code", "Image", "Span", "Header", "Table", "Figure", "CodeBlock", "Quoted", "Note", "Strong"}

local function link_terms(doc)
  if doc.meta["glossary-links"] == false then return nil end
  local terms, seen = read_terms(), {}

  local function Inlines(inlines)
    local out, at = pandoc.List {}, 1
    while at <= #inlines do
      local entry, size
      if inlines[at].t == "Str" then entry, size = term_at(terms, inlines, at) end
      if entry and not seen[entry.id] then
        seen[entry.id] = true
        out:extend(linked(entry, pandoc.List {table.unpack(inlines, at, at + size - 1)}))
      else
        size = size or 1
        out:extend(pandoc.List {table.unpack(inlines, at, at + size - 1)})
      end
      at = at + size
    end
    return out
  end

  local visitor = {traverse = "topdown", Inlines = Inlines}
  for _, name in ipairs(SKIPPED) do
    visitor[name] = function(element) return element, false end
  end
  visitor.Div = function(div)
    if div.classes:includes("cell-output") or div.classes:includes("quarto-figure") then return div, false end
  end
  doc.blocks = doc.blocks:walk(visitor)
  return doc
end

return {{Pandoc = link_terms}}
