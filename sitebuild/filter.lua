-- Quarto's Markdown, for plain Pandoc: callouts, tabsets, folded code, conditional content, layouts,
-- numbered sections, alternative texts. Runs after citeproc. What it cannot do, it says.

local utils = pandoc.utils
local CALLOUTS = {note = "Note", tip = "Tip", warning = "Warning", important = "Important", caution = "Caution"}
local option = {}          -- the page's options, from the metadata of pandoc.py
local tabset_count = 0

-- ------------------------------------------------------------------ small things
local function raw(text) return pandoc.RawBlock("html", text) end

local function escaped(text)
  return (text:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"):gsub('"', "&quot;"))
end

-- Options of its own: those of the page hold its template, and each title would be a whole page.
local fragment = pandoc.WriterOptions {html_math_method = "mathml", wrap_text = "none"}

local function inline_html(inlines)
  return (pandoc.write(pandoc.Pandoc({pandoc.Plain(inlines)}), "html", fragment):gsub("\n$", ""))
end

local function warn(message) pandoc.log.warn("sitebuild: " .. message) end

local function read_options(meta)
  for key, value in pairs(meta) do
    local name = key:match("^sitebuild%-(.+)$")
    if name then option[name] = utils.stringify(value) end
  end
end

local function on(name) return option[name] == "true" end

-- ------------------------------------------------------------------ callouts
local function callout(div, kind)
  local body, title = div.content, nil
  if div.attributes.title then
    title = pandoc.read(div.attributes.title, "markdown").blocks[1].content
  elseif body[1] and body[1].t == "Header" then
    title = body[1].content
    body:remove(1)
  end
  local look = div.attributes.appearance or option["callout-appearance"] or "default"
  local classes = {"callout", "callout-" .. kind, "callout-" .. look}
  if (div.attributes.icon or option["callout-icon"]) == "false" then classes[#classes + 1] = "no-icon" end
  for _, class in ipairs(div.classes) do
    if not class:match("^callout") then classes[#classes + 1] = class end
  end
  local attributes = ('class="%s"'):format(table.concat(classes, " "))
  if div.identifier ~= "" then attributes = attributes .. (' id="%s"'):format(escaped(div.identifier)) end

  local head = '<span class="callout-icon" aria-hidden="true"></span><span class="callout-heading">'
  if title then head = head .. ('<span class="visually-hidden">%s: </span>'):format(CALLOUTS[kind]) end
  head = head .. inline_html(title or {pandoc.Str(CALLOUTS[kind])}) .. "</span>"

  local collapse = div.attributes.collapse
  local folds = collapse == "true" or collapse == "false"
  local open = folds and ('<details %s%s><summary class="callout-title">%s</summary>')
      :format(attributes, collapse == "false" and " open" or "", head)
    or ('<div %s><div class="callout-title">%s</div>'):format(attributes, head)
  if look == "minimal" and not title then open = ("<div %s>"):format(attributes); folds = false end
  local out = pandoc.List {raw(open .. '<div class="callout-body">')}
  out:extend(body)
  out:insert(raw(folds and "</div></details>" or "</div></div>"))
  return out
end

-- ------------------------------------------------------------------ tabsets
local function tabset(div)
  local level, tabs = nil, {}
  for _, block in ipairs(div.content) do
    if block.t == "Header" and (not level or block.level == level) then
      level = block.level
      tabs[#tabs + 1] = {title = block.content, body = pandoc.List()}
    elseif #tabs > 0 then
      tabs[#tabs].body:insert(block)
    else
      warn("text before the first heading of a .panel-tabset is lost; each tab begins with a heading")
    end
  end
  if #tabs < 2 then
    warn("a .panel-tabset has fewer than two tabs; leave an empty line before each of its headings")
  end
  tabset_count = tabset_count + 1
  local n, buttons = tabset_count, {}
  for i, tab in ipairs(tabs) do
    buttons[i] = ('<button type="button" role="tab" id="tab-%d-%d" aria-controls="panel-%d-%d" aria-selected="%s" tabindex="%d">%s</button>')
      :format(n, i, n, i, tostring(i == 1), i == 1 and 0 or -1, inline_html(tab.title))
  end
  local group = div.attributes.group and (' data-group="%s"'):format(escaped(div.attributes.group)) or ""
  local out = pandoc.List {raw(('<div class="tabset"%s><div role="tablist">%s</div>'):format(group, table.concat(buttons)))}
  for i, tab in ipairs(tabs) do
    out:insert(raw(('<div role="tabpanel" id="panel-%d-%d" aria-labelledby="tab-%d-%d" data-title="%s"%s>')
      :format(n, i, n, i, escaped(utils.stringify(tab.title)), i == 1 and "" or " hidden")))
    out:extend(tab.body)
    out:insert(raw("</div>"))
  end
  out:insert(raw("</div>"))
  return out
end

-- ------------------------------------------------------------------ layouts and conditions
local function layout(div)
  local columns, given = div.attributes["layout-ncol"], div.attributes.layout
  local template
  if columns then
    template = ("repeat(%d, minmax(0, 1fr))"):format(tonumber(columns) or 1)
  elseif given then
    local row = given:match("^%s*%[+([%d%s,.]+)%]+%s*$")
    if not row then
      warn('layout="' .. given .. '" is not supported; give layout-ncol or one row of widths')
      row = "1"
    end
    local widths = {}
    for width in row:gmatch("[%d.]+") do widths[#widths + 1] = ("minmax(0, %sfr)"):format(width) end
    template = table.concat(widths, " ")
  else
    local rows = tonumber(div.attributes["layout-nrow"]) or 1
    template = ("repeat(%d, minmax(0, 1fr))"):format(math.ceil(#div.content / rows))
  end
  for _, key in ipairs {"layout", "layout-ncol", "layout-nrow", "layout-align", "layout-valign"} do
    div.attributes[key] = nil
  end
  div.classes:insert("layout")
  div.attributes.style = (div.attributes.style or "") .. "--columns: " .. template
  return div
end

local HTML = {html = true, html5 = true, ["html:js"] = true}

local function visible(element)
  local attributes, shown = element.attributes, true
  if attributes["when-format"] then shown = HTML[attributes["when-format"]] or false end
  if attributes["unless-format"] then shown = shown and not HTML[attributes["unless-format"]] end
  for _, key in ipairs {"when-profile", "unless-profile", "when-meta", "unless-meta"} do
    if attributes[key] then warn(key .. " is not honoured by the embedded builder") end
  end
  return shown
end

local function conditional(element)
  if element.classes:includes("content-visible") then return visible(element) and element.content or {} end
  if element.classes:includes("content-hidden") then return visible(element) and {} or element.content end
end

local function Div(div)
  for _, class in ipairs(div.classes) do
    local kind = class:match("^callout%-(%a+)$")
    if kind and CALLOUTS[kind] then return callout(div, kind) end
    if class == "panel-tabset" then return tabset(div) end
  end
  local chosen = conditional(div)
  if chosen then return chosen end
  local given = div.attributes
  if given["layout-ncol"] or given["layout-nrow"] or given.layout then return layout(div) end
end

-- ------------------------------------------------------------------ code
local function CodeBlock(block)
  local language = block.classes[1] or ""
  if language:match("^{?mermaid}?$") or language:match("^{?dot}?$") then
    warn(language:gsub("[{}]", "") .. " diagrams are shown as text by the embedded builder")
    block.classes = {"diagram-source"}
    return block
  end
  local cell = block.classes:includes("cell-code")
  local given = {}
  for _, key in ipairs {"code-fold", "code-summary", "code-line-numbers", "code-overflow", "filename"} do
    given[key] = block.attributes[key] or (cell and option[key]) or nil
    block.attributes[key] = nil
  end
  if block.text:match("#%s*<%d+>%s*\n") or block.text:match("#%s*<%d+>%s*$") then
    warn("code annotations such as # <1> are shown as they stand")
  end
  if given["code-line-numbers"] == "true" then block.classes:insert("numberLines") end
  if given["code-overflow"] == "wrap" then block.classes:insert("code-wrap") end
  local out = pandoc.List {block}
  if given.filename then
    out:insert(1, raw(('<div class="code-file"><div class="code-filename">%s</div>'):format(escaped(given.filename))))
    out:insert(raw("</div>"))
  end
  local fold = cell and given["code-fold"]
  if fold == "true" or fold == "show" then
    local open = fold == "show" and " open" or ""
    out:insert(1, raw(('<details class="code-fold"%s><summary>%s</summary>'):format(open, escaped(given["code-summary"] or "Code"))))
    out:insert(raw("</details>"))
  end
  return out
end

-- ------------------------------------------------------------------ figures, tables, mathematics
local function Image(image)
  local alt = image.attributes["fig-alt"]
  if alt then
    image.caption = pandoc.Inlines(alt)
    image.attributes["fig-alt"] = nil
  end
  if utils.stringify(image.caption) == "" and not image.attributes.alt then
    warn("the picture " .. image.src .. " has no alternative text; give it fig-alt or a caption")
    image.attributes.alt = ""
  end
  for _, key in ipairs {"fig-align", "fig-scap", "fig-env", "fig-pos", "group", "lightbox"} do
    image.attributes[key] = nil
  end
  return image
end

local function Table(tbl)
  local widths = tbl.attributes["tbl-colwidths"]
  if widths then
    local total, parts = 0, {}
    for width in widths:gmatch("[%d.]+") do
      parts[#parts + 1] = tonumber(width)
      total = total + tonumber(width)
    end
    for i, spec in ipairs(tbl.colspecs) do
      if parts[i] then tbl.colspecs[i] = {spec[1], parts[i] / math.max(total, 1)} end
    end
    tbl.attributes["tbl-colwidths"] = nil
  end
  tbl.classes:insert("table")
  return {raw('<div class="table-wrap">'), tbl, raw("</div>")}
end

local function Math(math)
  if math.mathtype == "DisplayMath" then return pandoc.Span({math}, pandoc.Attr("", {"math-block"})) end
end

-- ------------------------------------------------------------------ sections, links, citations
local function number_sections(doc)
  if not on("number-sections") then return nil end
  local depth, top = tonumber(option["number-depth"]) or 6, 6
  doc.blocks:walk {Header = function(h) top = math.min(top, h.level) end}
  local count = {}
  local function number(h)
    if h.classes:includes("unnumbered") or h.level > depth then return nil end
    count[h.level] = (count[h.level] or 0) + 1
    for level = h.level + 1, 6 do count[level] = nil end
    local parts = {}
    for level = top, h.level do parts[#parts + 1] = tostring(count[level] or 0) end
    local span = pandoc.Span({pandoc.Str(table.concat(parts, "."))}, pandoc.Attr("", {"header-section-number"}))
    h.content:insert(1, pandoc.Space())
    h.content:insert(1, span)
    return h
  end
  doc.blocks = doc.blocks:walk {Header = number}
  return doc
end

local function Link(link)
  if not link.target:match("^https?://") then return nil end
  if on("link-external-icon") then link.classes:insert("external") end
  if on("link-external-newwindow") then
    link.attributes.target = link.attributes.target or "_blank"
    link.attributes.rel = link.attributes.rel or "noopener"
  end
  return link
end

-- A citation of an unknown work leads nowhere; it is reported, and it is no link.
local function unlink_unknown(doc)
  local known = {}
  doc.blocks:walk {Div = function(div) known["#" .. div.identifier] = true end}
  doc.blocks = doc.blocks:walk {Link = function(link)
    if link.target:match("^#ref%-") and not known[link.target] then return link.content end
  end}
  return doc
end

local function Cite(cite)
  if not on("no-bibliography") then return nil end
  for _, citation in ipairs(cite.citations) do
    warn("citation @" .. citation.id .. " stands where no bibliography is given")
  end
end

-- The list of works gets a heading, unless the page has put the list under one of its own.
local function head_references(doc)
  local title = option["reference-title"]
  for at, block in ipairs(doc.blocks) do
    if title and block.t == "Div" and block.identifier == "refs" then
      local above = doc.blocks[at - 1]
      if not (above and above.t == "Header") then
        doc.blocks:insert(at, pandoc.Header(2, title, pandoc.Attr("references", {"unnumbered"})))
      end
      return doc
    end
  end
end

return {
  {Meta = read_options},
  {Div = Div, Span = conditional},
  {CodeBlock = CodeBlock, Image = Image, Table = Table, Math = Math, Link = Link, Cite = Cite},
  {Pandoc = unlink_unknown},
  {Pandoc = head_references},
  {Pandoc = number_sections},
}
