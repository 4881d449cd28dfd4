/* 搜索页：读出网址里的 q，显示命中的章与节，标出命中的词。 */
"use strict";

(() => {
  const EXAMPLES = ["批量归一化", "残差网络", "1×1 卷积", "学习率"];
  const SHOWN = 3; // 每章先列几节，其余折叠
  const CONTEXT = { before: 30, length: 120, paragraph: 30 };
  const SENTENCE_END = "。！？；";

  function element(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    node.append(...children);
    return node;
  }

  /* 原文的一段，命中的词放进 <mark>。 */
  function marked(source, query, from = 0, to = source.length) {
    const parts = document.createDocumentFragment();
    let at = from;
    for (const [start, end] of window.BookSearch.ranges(source, query)) {
      if (end <= at || start >= to) continue;
      const first = Math.max(start, at);
      parts.append(source.slice(at, first), element("mark", {}, source.slice(first, end)));
      at = end; // 引文末尾的词不拦腰截断
    }
    parts.append(source.slice(at, to));
    return parts;
  }

  /* 命中处所在的段落 [起, 止]。 */
  function blockAround(text, at) {
    const end = text.indexOf("\n", at);
    return [text.lastIndexOf("\n", at) + 1, end < 0 ? text.length : end];
  }

  /* 引哪一处：成句的段落比表格里的一格好懂。 */
  function hitToQuote(text, query) {
    const hits = window.BookSearch.ranges(text, query).map(([start]) => start);
    const isLong = (hit) => {
      const [start, end] = blockAround(text, hit);
      return end - start >= CONTEXT.paragraph;
    };
    return hits.find(isLong) ?? hits[0] ?? 0;
  }

  /* 从命中处往前，尽量从一句的开头引起，不越出这一段。 */
  function contextStart(text, hit, blockStart) {
    const earliest = Math.max(blockStart, hit - CONTEXT.before);
    const lead = text.slice(earliest, hit);
    const sentence = Math.max(...[...SENTENCE_END].map((mark) => lead.lastIndexOf(mark)));
    return sentence >= 0 ? earliest + sentence + 1 : earliest;
  }

  function quote(text, query) {
    const hit = hitToQuote(text, query);
    const [blockStart, blockEnd] = blockAround(text, hit);
    const start = contextStart(text, hit, blockStart);
    const end = Math.min(blockEnd, start + CONTEXT.length);
    const isCut = start > blockStart && !SENTENCE_END.includes(text[start - 1]);
    const paragraph = element("p", {}, isCut ? "……" : "", marked(text, query, start, end));
    if (end < blockEnd) paragraph.append("……");
    return paragraph;
  }

  function codeLine(code, query) {
    const line = code.split("\n").find((l) => window.BookSearch.ranges(l, query).length);
    return line && element("p", {}, element("code", {}, marked(line, query)));
  }

  /* 正文里有就引正文，否则引那一行代码，再没有就引本节的开头。 */
  function context(section, query) {
    const inText = window.BookSearch.ranges(section.text, query).length > 0;
    if (inText) return quote(section.text, query);
    return codeLine(section.code, query) || quote(section.text, query);
  }

  /* 讲解的那一节可能只用本书的叫法，这时标出本书的叫法。 */
  function queryFor(match, query) {
    const { text, explains } = match.section;
    if (!match.isExplanation || window.BookSearch.ranges(text, query).length) return query;
    // 一节可以讲解几个术语，取所查的那一个。
    const isAsked = (name) => window.BookSearch.normalize(name).text === query.phrase;
    return window.BookSearch.parseQuery(explains.find((names) => names.some(isAsked))[0]);
  }

  function sectionItem(chapter, match, pageQuery) {
    const { section, isOpening, isExplanation } = match;
    const query = queryFor(match, pageQuery);
    const link = element("a", { href: `${chapter.url}#${encodeURIComponent(section.anchor)}` });
    link.append(isOpening ? "本章开头" : marked(section.title, query));
    const heading = element("h3", {}, link);
    if (isExplanation) heading.append(element("span", { class: "explains" }, "讲解"));
    return element("li", {}, heading, context(section, query));
  }

  function sectionList(chapter, matches, query) {
    return element("ul", {}, ...matches.map((match) => sectionItem(chapter, match, query)));
  }

  function chapterBlock(found, query) {
    const { chapter, matches } = found;
    const title = element("a", { href: chapter.url }, marked(chapter.title, query));
    const block = element("section", {}, element("h2", {}, title));
    block.append(sectionList(chapter, matches.slice(0, SHOWN), query));
    const rest = matches.slice(SHOWN);
    if (rest.length) {
      const summary = element("summary", {}, `本章另有 ${rest.length} 节`);
      block.append(element("details", {}, summary, sectionList(chapter, rest, query)));
    }
    return block;
  }

  function showExamples(status) {
    status.replaceChildren("输入要找的词，例如：");
    EXAMPLES.forEach((example, i) => status.append(i ? "、" : "", searchLink(example)));
  }

  function searchLink(text) {
    return element("a", { href: `?q=${encodeURIComponent(text)}` }, text);
  }

  function showCount(text, found, status) {
    const count = found.reduce((sum, { matches }) => sum + matches.length, 0);
    status.textContent = count
      ? `「${text}」：找到 ${count} 节，分在 ${found.length} 页。`
      : `全书没有「${text}」。可以少输入几个字，或者换一种说法。`;
    const name = window.BookSearch.bookName(window.BOOK_CHAPTERS, text);
    if (name) status.append("本书多称作「", searchLink(name), "」。");
  }

  function show(text, status, results) {
    const query = window.BookSearch.parseQuery(text);
    if (!query.terms.length) {
      showExamples(status);
      return;
    }
    if (!window.BOOK_CHAPTERS) {
      status.textContent = "没有取到全书的文字：请检查网络，再重新载入这一页。";
      return;
    }
    const prepared = window.BookSearch.prepare(window.BOOK_CHAPTERS);
    const found = window.BookSearch.search(prepared, text);
    showCount(text, found, status);
    results.append(...found.map((chapter) => chapterBlock(chapter, query)));
    document.title = `${text} - ${document.title}`;
  }

  /* 光标放在搜索框里，下一个 Tab 就到第一条结果；触屏上不弹出键盘挡住结果。 */
  function focusField(field, hasQuery) {
    if (hasQuery && window.matchMedia("(pointer: coarse)").matches) return;
    field.focus({ preventScroll: true });
    field.select();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const text = (new URLSearchParams(window.location.search).get("q") || "").trim();
    const field = document.querySelector(".book-search form input[name=q]");
    field.value = text;
    show(
      text,
      document.getElementById("book-search-status"),
      document.getElementById("book-search-results")
    );
    focusField(field, text !== "");
  });
})();
