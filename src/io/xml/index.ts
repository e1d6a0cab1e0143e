export { formatXml } from "./format.ts";
export { parseXml, XML_ATTRIBUTE_MAX_CHARS, XML_DEPTH_MAX, XML_SIZE_MAX_BYTES, XmlError, type XmlErrorDetail } from "./parse.ts";
export { badUtf8, type TextPlace } from "./utf8.ts";
