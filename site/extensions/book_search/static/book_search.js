/* 在全书的文字里查找并排序。不接触页面，测试可以直接调用。
 *
 * 全书只有几十万字，逐字查找足够快，所以没有倒排索引，也不分词：
 * 词必须原样连续出现，任何长度的中文词都能找到，打乱次序的就找不到。
 */
"use strict";

window.BookSearch = (() => {
  const WORD = /[a-z0-9]/;
  const DIGIT = /[0-9]/;

  // 各处命中的分量：讲解它的节最重，标题胜过正文，正文胜过代码；次数的作用有上限。
  const WEIGHT = { explains: 60, chapter: 40, title: 12, text: 5, code: 1 };
  // 出现这么多次时，正文或代码得到一半的分数。
  const HALF = { text: 4, code: 4 };
  // 复习用的章节排在讲解的地方之后；「实验台」不是实验。
  const REVIEW = /^(小结|练习|解答|实验(?!台)|术语表|参考文献)/;
  const REVIEW_FACTOR = 0.4;

  /* 统一写法，并记下每个字符来自原文的哪里（标出命中的词时要用）。
   * 连续的空格只留一个；汉字与乘号两旁的空格只是排版，一个也不留。 */
  function normalize(source) {
    const starts = [];
    let text = "";
    let last = "";
    let space = -1; // 还没有决定去留的空格在原文里的位置
    let at = 0;
    while (at < source.length) {
      const char = charAt(source, at);
      const plain = plainForm(char);
      for (let i = 0; i < plain.length; i++) {
        if (plain[i] === " ") {
          space = space < 0 ? at : space;
          continue;
        }
        if (space >= 0 && !isTight(last) && !isTight(plain[i])) {
          text += " ";
          starts.push(space);
        }
        space = -1;
        last = plain[i];
        text += last;
        starts.push(at);
      }
      at += char.length;
    }
    // 两个数之间的 x、* 就是乘号：1x1、1*1 与 1×1 相同。
    return { text: text.replace(/(\d)[x*](?=\d)/g, "$1×"), starts };
  }

  /* 从 at 起的一个字符；基本平面以外的占两个位置。 */
  function charAt(source, at) {
    const code = source.charCodeAt(at);
    return code >= 0xd800 && code <= 0xdbff ? source.slice(at, at + 2) : source[at];
  }

  // 全书不同的字符只有两三千个，每个只算一次。
  const forms = new Map();

  function plainForm(char) {
    let plain = forms.get(char);
    if (plain === undefined) {
      plain = computeForm(char);
      forms.set(char, plain);
    }
    return plain;
  }

  /* 全角变半角，大写变小写；growth_rate 与 growth rate 视为相同。 */
  function computeForm(char) {
    if (char === "\n" || isHan(char)) return char;
    return char
      .normalize("NFKC")
      .toLowerCase()
      .replace(/[\s_]/g, " ")
      .replace(/[\u2010-\u2015\u2212]/g, "-");
  }

  /* 两旁不必有空格的字符；没有字符就是到了开头。 */
  function isTight(char) {
    return !char || char === "\n" || char === "×" || char === "*" || isHan(char);
  }

  function isHan(char) {
    return char >= "\u3400" && char <= "\u9fff";
  }

  /* 把查询拆成词；3 x 3 是一个词；多个词都要出现，整句连着出现的排在前面。 */
  function parseQuery(query) {
    const words = query
      .replace(/(\d)\s*[x×*]\s*(?=\d)/gi, "$1×")
      .split(/\s+/)
      .map((word) => word.replace(/^[\p{P}]+|[\p{P}]+$/gu, ""))
      .filter((word) => word);
    const terms = [...new Set(words.map((word) => normalize(word).text))];
    return { terms, phrase: normalize(words.join(" ")).text };
  }

  /* 西文按词首比较：NiN 不在 training 里；数字要完整：1×1 不在 11×11 里。 */
  function isWholeWord(text, needle, at) {
    const end = at + needle.length;
    const first = needle[0];
    const last = needle[needle.length - 1];
    const before = text[at - 1] || "";
    const after = text[end] || "";
    if (WORD.test(first) && WORD.test(before)) return false;
    if (DIGIT.test(first) && /[.,]/.test(before) && DIGIT.test(text[at - 2] || ""))
      return false;
    if (DIGIT.test(last)) {
      if (DIGIT.test(after)) return false;
      return !(/[.,]/.test(after) && DIGIT.test(text[end + 1] || ""));
    }
    return !(needle.length === 1 && WORD.test(first) && WORD.test(after));
  }

  /* needle 在 text 里的全部位置，互不重叠。 */
  function occurrences(text, needle) {
    const found = [];
    if (!needle) return found;
    let at = text.indexOf(needle);
    while (at >= 0) {
      const whole = isWholeWord(text, needle, at);
      if (whole) found.push(at);
      at = text.indexOf(needle, at + (whole ? needle.length : 1));
    }
    return found;
  }

  /* 标题里命中的得分：词占标题的份额越大越高，恰好等于标题时加倍。 */
  function titleScore(title, needle) {
    if (!occurrences(title, needle).length) return 0;
    if (title === needle) return 2;
    return 0.5 + (0.5 * needle.length) / title.length;
  }

  function saturate(count, half) {
    return count / (count + half);
  }

  function sectionScore(section, needle) {
    const texts = occurrences(section.text, needle).length;
    const codes = occurrences(section.code, needle).length;
    return (
      WEIGHT.title * titleScore(section.title, needle) +
      WEIGHT.text * saturate(texts, HALF.text) +
      WEIGHT.code * saturate(codes, HALF.code)
    );
  }

  /* 把构建时存下的各章变成便于查找的样子；只做一次。 */
  function prepare(chapters) {
    return chapters.map((chapter) => {
      const title = chapter.title.replace(/^[\d.]+ /, "");
      return {
        source: chapter,
        title: normalize(title).text,
        sections: chapter.sections.map((section, i) =>
          prepareSection(section, i === 0, REVIEW.test(title))
        ),
      };
    });
  }

  function prepareSection(section, isOpening, inReview) {
    return {
      source: section,
      isOpening,
      // 第一节的标题就是章的标题，另按章计分。
      title: isOpening ? "" : normalize(section.title).text,
      text: normalize(section.text).text,
      code: normalize(section.code).text,
      terms: section.explains.map((names) => names.map((name) => normalize(name).text)),
      factor: inReview || REVIEW.test(section.title) ? REVIEW_FACTOR : 1,
    };
  }

  /* 这一节专门讲解的就是所查的词。 */
  function isExplanation(section, query) {
    return section.terms.some((names) => names.includes(query.phrase));
  }

  /* 一节的得分；有一个词在这一节和章的标题里都找不到时为 0。 */
  function scoreSection(chapter, section, query) {
    if (isExplanation(section, query)) return WEIGHT.explains;
    let total = 0;
    for (const term of query.terms) {
      const score = sectionScore(section, term);
      if (!score && !titleScore(chapter.title, term)) return 0;
      total += score;
    }
    if (query.terms.length > 1) total += 3 * sectionScore(section, query.phrase);
    if (section.isOpening && query.terms.every((term) => titleScore(chapter.title, term)))
      total += WEIGHT.title;
    return total * section.factor;
  }

  /* 章的得分：章的标题，最好的一节，其余各节依次减半。 */
  function scoreChapter(chapter, matches, query) {
    const needles = query.terms.length > 1 ? [...query.terms, query.phrase] : query.terms;
    const title = needles.reduce((sum, term) => sum + titleScore(chapter.title, term), 0);
    const sections = matches.reduce((sum, match, i) => sum + match.score / 2 ** i, 0);
    return (WEIGHT.chapter * title) / needles.length + sections;
  }

  function searchChapter(chapter, query) {
    const matches = chapter.sections
      .map((section) => ({
        section: section.source,
        isOpening: section.isOpening,
        isExplanation: isExplanation(section, query),
        score: scoreSection(chapter, section, query),
      }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score);
    return { chapter: chapter.source, matches, score: scoreChapter(chapter, matches, query) };
  }

  /* 所查的是别的书的叫法时，返回本书的叫法；否则返回 undefined。 */
  function bookName(chapters, text) {
    const { phrase } = parseQuery(text);
    const sections = chapters.flatMap((chapter) => chapter.sections);
    const terms = sections.flatMap((section) => section.explains);
    const found = terms.find((names) => names.some((name) => normalize(name).text === phrase));
    return found && normalize(found[0]).text !== phrase ? found[0] : undefined;
  }

  /* 返回 [{chapter, matches: [{section, isOpening, isExplanation, score}], score}]，最相关的在前。 */
  function search(prepared, text) {
    const query = parseQuery(text);
    if (!query.terms.length) return [];
    return prepared
      .map((chapter) => searchChapter(chapter, query))
      .filter((found) => found.matches.length)
      .sort((a, b) => b.score - a.score);
  }

  /* 查询在原文里的位置 [[起, 止], …]：整句优先，没有整句才标各个词。 */
  function ranges(source, query) {
    const { text, starts } = normalize(source);
    const positions = (needle) =>
      occurrences(text, needle).map((at) => {
        const last = starts[at + needle.length - 1];
        return [starts[at], last + charAt(source, last).length];
      });
    const phrase = positions(query.phrase);
    if (phrase.length) return phrase;
    return merge(query.terms.flatMap(positions));
  }

  function merge(found) {
    const merged = [];
    for (const [start, end] of found.sort((a, b) => a[0] - b[0])) {
      const last = merged[merged.length - 1];
      if (last && start <= last[1]) last[1] = Math.max(last[1], end);
      else merged.push([start, end]);
    }
    return merged;
  }

  return { bookName, normalize, occurrences, parseQuery, prepare, ranges, search };
})();
