// Makes pages of letters with the template engines of npm.
//
//     node render.mjs FOLDER < letters > pages
//
// FOLDER has the node_modules. Each line of the input is a letter in JSON, each of the output its
// page, a string in JSON, in the same order.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";

const require = createRequire(join(process.argv[2], "package.json"));

const mjml = require("mjml");
const React = require("react");
const Email = require("@react-email/components");
const Mailgen = require("mailgen");
const { Inky } = require("inky");
const { default: juice } = require("juice");
const Oy = require("oy-vey").default;

const el = React.createElement;
const FOUNDATION = readFileSync(require.resolve("foundation-emails/dist/foundation-emails.css"), "utf8");

function escape(text) {
  const names = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  return text.replace(/[&<>"]/g, (letter) => names[letter]);
}

// -- mjml: columns, preview text, buttons, a bar of links ---------------------------------------

function mjmlBlock(block) {
  const text = escape(block.text);
  const pictured = `<mj-image src="${block.image}" alt="${text}" href="${block.url}" />`;
  switch (block.kind) {
    case "text":
      return `<mj-text>${text}</mj-text>`;
    case "button":
      return `<mj-button href="${block.url}">${escape(block.more)}</mj-button>`;
    case "article":
      return `${pictured}<mj-text font-size="20px"><a href="${block.url}">${text}</a></mj-text>
        <mj-text>${escape(block.detail)} <a href="${block.url}">${escape(block.more)}</a></mj-text><mj-divider border-width="1px" />`;
    case "product":
      return `${pictured}<mj-text align="center"><a href="${block.url}">${text}</a><br/><b>${escape(block.detail)}</b> <s>${escape(block.more)}</s></mj-text>`;
    default: {
      const rows = block.rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`);
      return `<mj-table>${rows.join("")}</mj-table>`;
    }
  }
}

function mjmlSections(letter) {
  const sections = [];
  let column = "";
  let products = [];
  const flush = () => {
    if (column) sections.push(`<mj-section background-color="#ffffff"><mj-column>${column}</mj-column></mj-section>`);
    column = "";
  };
  const shelve = () => {
    while (products.length) {
      const shelf = products.splice(0, 2).map((inside) => `<mj-column>${inside}</mj-column>`);
      sections.push(`<mj-section background-color="#ffffff">${shelf.join("")}</mj-section>`);
    }
  };
  for (const block of letter.blocks) {
    if (block.kind === "product") {
      flush();
      products.push(mjmlBlock(block));
    } else {
      shelve();
      column += mjmlBlock(block);
    }
  }
  shelve();
  flush();
  return sections.join("\n");
}

async function byMjml(letter) {
  const hero = letter.banner ? `<mj-section padding="0"><mj-column><mj-image padding="0" src="${letter.banner}" alt="" href="${letter.site}" /></mj-column></mj-section>` : "";
  const social = letter.social.map((each) => `<mj-social-element src="${each.image}" href="${each.url}" alt="${escape(each.text)}"></mj-social-element>`);
  const links = letter.links.map((each) => `<a href="${each.url}">${escape(each.text)}</a>`).join(" | ");
  const source = `<mjml lang="${letter.language}"><mj-head>
    <mj-title>${escape(letter.subject)}</mj-title>
    <mj-preview>${escape(letter.preheader)}</mj-preview>
    <mj-attributes><mj-all font-family="Helvetica, Arial, sans-serif" /><mj-text line-height="1.5" color="#333333" /><mj-button background-color="${letter.color}" /></mj-attributes>
    <mj-style>a { color: ${letter.color}; } @media (prefers-color-scheme: dark) { .dim div { color: #cccccc !important; } }</mj-style>
  </mj-head><mj-body background-color="#f4f4f4">
    <mj-section><mj-column><mj-image width="160px" src="${letter.logo}" alt="${escape(letter.company)}" href="${letter.site}" /></mj-column></mj-section>
    ${hero}
    <mj-section background-color="#ffffff"><mj-column><mj-text font-size="26px">${escape(letter.title)}</mj-text><mj-text>${escape(letter.greeting)}</mj-text></mj-column></mj-section>
    ${mjmlSections(letter)}
    <mj-section background-color="#ffffff"><mj-column><mj-text>${escape(letter.closing)}<br/>${escape(letter.company)}</mj-text>${social.length ? `<mj-social>${social.join("")}</mj-social>` : ""}</mj-column></mj-section>
    <mj-section><mj-column><mj-text css-class="dim" font-size="11px" align="center">${escape(letter.reason)}<br/>${escape(letter.company)}, ${escape(letter.place)}<br/>${links}</mj-text>${letter.pixel ? `<mj-raw><img src="${letter.pixel}" width="1" height="1" alt="" style="display:none" /></mj-raw>` : ""}</mj-column></mj-section>
  </mj-body></mjml>`;
  const { html, errors } = await mjml(source, {});
  if (errors.length) throw new Error(errors.map((error) => error.formattedMessage).join("; "));
  return html;
}

// -- react-email: components with a padded preview ----------------------------------------------

function reactBlock(block, index) {
  const key = index;
  const { Section, Row, Column, Text, Button, Link, Img, Hr, Heading } = Email;
  switch (block.kind) {
    case "text":
      return el(Text, { key }, block.text);
    case "button":
      return el(Section, { key, style: { textAlign: "center", margin: "32px 0" } }, el(Button, { href: block.url, style: { padding: "12px 20px", background: "#111", color: "#fff", borderRadius: "6px" } }, block.more));
    case "article":
      return el(Section, { key }, el(Link, { href: block.url }, el(Img, { src: block.image, width: "100%", alt: block.text })), el(Heading, { as: "h2" }, block.text), el(Text, {}, block.detail), el(Link, { href: block.url }, block.more), el(Hr));
    case "product":
      return el(Section, { key }, el(Row, {}, el(Column, { style: { width: "40%" } }, el(Link, { href: block.url }, el(Img, { src: block.image, width: 180, alt: block.text }))), el(Column, {}, el(Text, {}, el("strong", {}, block.text)), el(Text, {}, block.detail, " ", el("s", {}, block.more)))));
    default:
      return el(Section, { key }, ...block.rows.map((row, at) => el(Row, { key: at }, ...row.map((cell, place) => el(Column, { key: place }, el(Text, {}, cell))))));
  }
}

async function byReact(letter) {
  const { Html, Head, Preview, Body, Container, Section, Img, Heading, Text, Link, Hr } = Email;
  const small = { color: "#8898aa", fontSize: "12px" };
  const page = el(Html, { lang: letter.language }, el(Head, {}, el("title", {}, letter.subject)), el(Preview, {}, letter.preheader),
    el(Body, { style: { backgroundColor: "#f6f9fc", fontFamily: "-apple-system, 'Segoe UI', sans-serif" } },
      el(Container, { style: { backgroundColor: "#fff", padding: "20px 40px" } },
        el(Img, { src: letter.logo, width: 120, height: 40, alt: letter.company }),
        letter.banner ? el(Img, { src: letter.banner, width: "100%", alt: "" }) : null,
        el(Heading, {}, letter.title), el(Text, {}, letter.greeting),
        ...letter.blocks.map(reactBlock),
        el(Text, {}, letter.closing, el("br"), letter.company), el(Hr),
        el(Section, {}, el(Text, { style: small }, letter.reason), el(Text, { style: small }, `${letter.company}, ${letter.place}`),
          ...letter.links.map((each, at) => el(Link, { key: at, href: each.url, style: { ...small, marginRight: "12px" } }, each.text))),
        letter.pixel ? el(Img, { src: letter.pixel, width: 1, height: 1, alt: "" }) : null)));
  return Email.render(page, { pretty: letter.number % 3 === 0 });
}

// -- mailgen: one of four themes ----------------------------------------------------------------

function byMailgen(letter) {
  const themes = ["default", "salted", "neopolitan", "cerberus"];
  const generator = new Mailgen({
    theme: themes[letter.number % themes.length],
    product: { name: letter.company, link: letter.site, logo: letter.logo, copyright: escape(`© ${letter.year} ${letter.company}, ${letter.place}. ${letter.reason}`) },
  });
  const body = { title: escape(letter.greeting), intro: [], outro: [], signature: letter.closing };
  const texts = () => (body.action ? body.outro : body.intro);
  for (const block of letter.blocks) {
    if (block.kind === "text") texts().push(escape(block.text));
    else if (block.kind === "facts") body.dictionary = Object.fromEntries(block.rows);
    else if (block.kind === "button") body.action = { instructions: escape(letter.title), button: { color: letter.color, text: block.more, link: block.url } };
    else if (block.kind === "items") body.table = { data: block.rows.map(([item, count, price]) => ({ [letter.words.item]: escape(item), "#": count, [letter.words.price]: price })) };
    else throw new Error(`mailgen has no ${block.kind}`);
  }
  for (const each of letter.links) body.outro.push(`<a href="${each.url}">${escape(each.text)}</a>`);
  return generator.generate({ body });
}

// -- Foundation for Emails: its grid from Inky, its styles set inline -----------------------------

function inkyBlock(block) {
  const text = escape(block.text);
  switch (block.kind) {
    case "text":
      return `<p>${text}</p>`;
    case "button":
      return `<button class="large expand" href="${block.url}">${escape(block.more)}</button>`;
    case "article":
      return `<row><columns small="12" large="4"><a href="${block.url}"><img src="${block.image}" alt="${text}"/></a></columns><columns small="12" large="8"><h4>${text}</h4><p>${escape(block.detail)} <a href="${block.url}">${escape(block.more)}</a></p></columns></row>`;
    case "product":
      return `<row><columns small="6"><center><a href="${block.url}"><img src="${block.image}" alt="${text}"/></a></center></columns><columns small="6"><h5>${text}</h5><p><strong>${escape(block.detail)}</strong> <s>${escape(block.more)}</s></p></columns></row>`;
    default:
      return `<callout class="secondary"><table>${block.rows.map((row) => `<tr>${row.map((cell) => `<td>${escape(cell)}</td>`).join("")}</tr>`).join("")}</table></callout>`;
  }
}

function byFoundation(letter) {
  const links = letter.links.map((each) => `<a href="${each.url}">${escape(each.text)}</a>`).join(" &middot; ");
  const inside = new Inky({}).releaseTheKraken(`<wrapper class="header"><container><row class="collapse"><columns small="6"><img src="${letter.logo}" alt="${escape(letter.company)}"/></columns><columns small="6"><p class="text-right"><a href="${letter.view}">${escape(letter.words.view)}</a></p></columns></row></container></wrapper>
<container><spacer size="16"></spacer>${letter.banner ? `<row><columns><a href="${letter.site}"><img src="${letter.banner}" alt=""/></a></columns></row>` : ""}<row><columns><h1>${escape(letter.title)}</h1><p class="lead">${escape(letter.greeting)}</p>${letter.blocks.map(inkyBlock).join("\n")}<hr/><p>${escape(letter.closing)}<br/>${escape(letter.company)}</p></columns></row>
<row class="footer"><columns><p class="text-center"><small>${escape(letter.reason)}<br/>${escape(letter.place)}<br/>${links}</small></p></columns></row></container>`);
  const page = `<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" lang="${letter.language}"><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><meta name="viewport" content="width=device-width"><title>${escape(letter.subject)}</title><style>${FOUNDATION}</style></head>
<body><span class="preheader" style="color:#f3f3f3;display:none!important;font-size:1px;line-height:1px;max-height:0;max-width:0;mso-hide:all!important;opacity:0;overflow:hidden;visibility:hidden">${escape(letter.preheader)}${"&nbsp;&zwnj;".repeat(letter.number % 2 ? 60 : 0)}</span>
<table class="body"><tr><td class="center" align="center" valign="top"><center>${inside}</center></td></tr></table>${letter.pixel ? `<img src="${letter.pixel}" width="1" height="1" alt="" />` : ""}<div style="white-space:nowrap;font:15px courier;line-height:0">${"&nbsp; ".repeat(20)}</div></body></html>`;
  return juice(page, { preserveImportant: true });
}

// -- oy: tables written by hand -----------------------------------------------------------------

function oyBlock(block, key) {
  const { TR, TD, A, Img, Table, TBody } = Oy;
  const cell = (inside) => el(TR, { key }, el(TD, { style: { fontFamily: "Georgia, serif", fontSize: "16px", padding: "8px 0" } }, inside));
  const grid = (rows) => el(Table, { width: 560 }, el(TBody, {}, rows.map((row, at) => el(TR, { key: at }, row.map((each, place) => el(TD, { key: place }, each))))));
  switch (block.kind) {
    case "text":
      return cell(block.text);
    case "button":
      return cell(el(A, { href: block.url, style: { background: "#2b6cb0", color: "#ffffff", padding: "12px" } }, block.more));
    case "article":
      return cell([el(A, { key: 1, href: block.url }, el(Img, { src: block.image, width: 560, alt: block.text })), el("h3", { key: 2 }, block.text), el("p", { key: 3 }, block.detail, " ", el(A, { href: block.url }, block.more))]);
    case "product":
      return cell(grid([[el(A, { href: block.url }, el(Img, { src: block.image, width: 200, alt: block.text })), [block.text, " ", block.detail].join("")]]));
    default:
      return cell(grid(block.rows));
  }
}

function byOy(letter) {
  const { Table, TBody, TR, TD, A, Img } = Oy;
  const row = (inside, key) => el(TR, { key }, el(TD, {}, inside));
  const page = el(Table, { width: 600, align: "center", bgcolor: "#FFFFFF" }, el(TBody, {},
    row(el(A, { href: letter.site }, el(Img, { src: letter.logo, width: 150, alt: letter.company })), "logo"),
    row(el("h1", {}, letter.title), "title"), row(letter.greeting, "greeting"),
    ...letter.blocks.map(oyBlock),
    row([letter.closing, el("br", { key: 1 }), letter.company], "closing"),
    row(el("small", {}, letter.reason, el("br"), letter.place), "reason"),
    ...letter.links.map((each) => row(el(A, { href: each.url }, each.text), each.url))));
  return Oy.renderTemplate(page, { title: letter.subject, lang: letter.language, previewText: letter.preheader });
}

const ENGINES = { mjml: byMjml, react: byReact, mailgen: byMailgen, foundation: byFoundation, oy: byOy };

for await (const line of createInterface({ input: process.stdin })) {
  const letter = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await ENGINES[letter.engine](letter))}\n`);
}
