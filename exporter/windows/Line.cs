// An event as it is sent: RFC 5424, its fields as structured data (docs/spec/line.md). No I/O.
//
// C# 5 and .NET Framework 4.5: what Windows PowerShell 5.1 compiles with Add-Type, and Mono for the tests.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Xml;

namespace Logchain
{
    /// <summary>What the event log gives: one event of a channel.</summary>
    public sealed class Happened
    {
        public string Channel;
        public long Number; // EventRecordID: one more for each event of a channel
        public string Time; // when, as the log says: together with the number it tells an event from another
        public string Xml; // as Windows renders it: not always well-formed
        public string Message; // its words in the guest's language; empty where the provider has none
    }

    /// <summary>An event's line, and its id, by which it may be left out.</summary>
    public sealed class Line
    {
        public readonly string Id;
        public readonly byte[] Bytes; // ends with its newline

        private Line(string id, string head, string message)
        {
            Id = id;
            var bytes = new List<byte>(Latin1.GetBytes(head));
            Escape(message, false, bytes);
            bytes.Add((byte)'\n');
            Bytes = bytes.ToArray();
        }

        /// <summary>Dress an event. One that is no XML goes as the text it is: nothing is lost for being odd.</summary>
        public static Line Of(Happened happened, string host)
        {
            XmlElement system = SystemOf(happened.Xml);
            if (system == null)
            {
                var known = new StringBuilder("[event@32473");
                Param(known, "Channel", happened.Channel);
                Param(known, "EventRecordID", happened.Number.ToString(CultureInfo.InvariantCulture));
                return new Line("", Head(13, "-", host, "eventlog", "-", "-", known + "]"), happened.Xml);
            }
            XmlElement rest = Next(system);
            string data = new StringBuilder().Append(SystemData(system)).Append(RestData(rest, happened.Xml)).ToString();
            string id = Text(system, "EventID", null);
            string head = Head(
                Priority(Text(system, "Channel", null), Text(system, "Level", null), Text(system, "Keywords", null)),
                Time(Text(system, "TimeCreated", "SystemTime")),
                Text(system, "Computer", null),
                Text(system, "Provider", "Name"),
                Text(system, "Execution", "ProcessID"),
                id,
                data
            );
            return new Line(id, head, happened.Message);
        }

        /// <summary>A line of the exporter's own, for what whoever reads the log must know; without its newline.</summary>
        public static string Own(string host, string what, string words, DateTime utc)
        {
            string time = utc.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
            var line = new Line("", Head(44, time, host, "log-exporter", "-", what, "-"), words);
            return Encoding.UTF8.GetString(line.Bytes, 0, line.Bytes.Length - 1);
        }

        // Windows does not escape what XML cannot hold, and a parser would make \n of \r\n: both become character references.
        private static XmlElement SystemOf(string untrustedXml)
        {
            var clean = new StringBuilder(untrustedXml.Length);
            for (int i = 0; i < untrustedXml.Length; i++)
            {
                char c = untrustedXml[i];
                if (char.IsHighSurrogate(c) && i + 1 < untrustedXml.Length && char.IsLowSurrogate(untrustedXml[i + 1]))
                    clean.Append(c).Append(untrustedXml[++i]);
                else if ((c < ' ' && c != '\n' && c != '\t') || char.IsSurrogate(c) || c >= '\ufffe')
                    clean.Append("&#").Append((int)c).Append(';');
                else
                    clean.Append(c);
            }
            var settings = new XmlReaderSettings();
            settings.CheckCharacters = false; // of character references
            settings.DtdProcessing = DtdProcessing.Prohibit;
            settings.XmlResolver = null;
            var document = new XmlDocument();
            document.XmlResolver = null;
            document.PreserveWhitespace = true;
            try
            {
                using (XmlReader reader = XmlReader.Create(new StringReader(clean.ToString()), settings))
                    document.Load(reader);
            }
            catch (XmlException)
            {
                return null;
            }
            XmlElement first = document.DocumentElement.LocalName == "Event" ? Elements(document.DocumentElement, 0) : null;
            return first != null && first.LocalName == "System" ? first : null;
        }

        private static XmlElement Elements(XmlNode parent, int number)
        {
            foreach (XmlNode node in parent.ChildNodes)
                if (node is XmlElement && number-- == 0)
                    return (XmlElement)node;
            return null;
        }

        private static XmlElement Next(XmlNode node)
        {
            do
                node = node.NextSibling;
            while (node != null && !(node is XmlElement));
            return (XmlElement)node;
        }

        private static string Text(XmlElement system, string name, string attribute)
        {
            foreach (XmlNode node in system.ChildNodes)
                if (node is XmlElement && node.LocalName == name)
                    return attribute == null ? node.InnerText : ((XmlElement)node).GetAttribute(attribute);
            return "";
        }

        private static string SystemData(XmlElement system)
        {
            var data = new StringBuilder("[event@32473");
            foreach (XmlNode node in system.ChildNodes)
            {
                if (!(node is XmlElement))
                    continue;
                foreach (XmlAttribute attribute in node.Attributes)
                    if (attribute.Name != "xmlns")
                        Param(data, ParamName(node.LocalName + "." + attribute.LocalName), attribute.Value);
                if (node.InnerText != "")
                    Param(data, ParamName(node.LocalName), node.InnerText);
            }
            return data + "]";
        }

        private static string RestData(XmlElement rest, string xml)
        {
            if (rest == null)
                return "";
            string data = Next(rest) == null && rest.LocalName == "EventData" && rest.Attributes["Name"] == null ? Named(rest) : null;
            if (data != null)
                return data;
            // What is no plain list of names and values goes as it stands.
            int start = xml.IndexOf("</System>", StringComparison.Ordinal) + "</System>".Length;
            int end = xml.LastIndexOf("</Event>", StringComparison.Ordinal);
            var text = new StringBuilder("[xml@32473");
            Param(text, "rest", xml.Substring(start, end - start));
            return text + "]";
        }

        private static string Named(XmlElement eventData)
        {
            var data = new StringBuilder("[data@32473");
            int count = 0;
            foreach (XmlNode node in eventData.ChildNodes)
            {
                var element = node as XmlElement;
                if (element == null)
                {
                    if (node.Value != null && node.Value.Trim() != "")
                        return null;
                    continue;
                }
                string name = element.GetAttribute("Name");
                bool plain = element.LocalName == "Data" || (element.LocalName == "Binary" && name == "");
                if (!plain || Elements(element, 0) != null || element.Attributes.Count > (name == "" ? 0 : 1))
                    return null;
                if (name == "")
                    name = element.LocalName;
                if (ParamName(name) != name)
                    return null;
                Param(data, name, element.InnerText);
                count++;
            }
            return count == 0 ? "" : data + "]";
        }

        // RFC 5424 allows an SD-NAME of at most 32 printable ASCII characters, and none of = ] ".
        private static string ParamName(string name)
        {
            string allowed = Name(name, 32);
            return allowed.Replace('=', '_').Replace(']', '_').Replace('"', '_');
        }

        private static void Param(StringBuilder data, string name, string value)
        {
            var bytes = new List<byte>();
            Escape(value, true, bytes);
            data.Append(' ').Append(name).Append("=\"");
            data.Append(Latin1.GetString(bytes.ToArray())).Append('"'); // bytes again in Head
        }

        private static int Priority(string channel, string level, string keywords)
        {
            int severity = level == "1" ? 2 : level == "2" ? 3 : level == "3" ? 4 : level == "5" ? 7 : 6;
            ulong bits;
            bool isHex = keywords.StartsWith("0x", StringComparison.Ordinal);
            if (isHex && ulong.TryParse(keywords.Substring(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bits))
                if ((bits & 0x10000000000000UL) != 0) // an audit that failed
                    severity = 4;
            return (channel == "Security" ? 13 : 1) * 8 + severity; // log audit, or user
        }

        // Windows writes seven or nine digits of a second, RFC 5424 allows six; the data has them all.
        private static string Time(string time)
        {
            int point = time.IndexOf('.');
            bool isTime = point == 19 && time.EndsWith("Z", StringComparison.Ordinal) && time.Length >= 27;
            return isTime ? Name(time.Substring(0, 26), 26) + "Z" : "-";
        }

        private static string Name(string text, int limit)
        {
            var name = new StringBuilder();
            foreach (char c in text.Length > limit ? text.Substring(0, limit) : text)
                name.Append(c >= '!' && c <= '~' ? c : '_');
            return name.Length == 0 ? "-" : name.ToString();
        }

        private static string Head(int priority, string time, string host, string app, string process, string id, string data)
        {
            return string.Format(CultureInfo.InvariantCulture, "<{0}>1 {1} {2} {3} {4} {5} ", priority, time, Name(host, 255),
                Name(app, 48), Name(process, 128), Name(id, 32)) + data + " ";
        }

        private static readonly Encoding Latin1 = Encoding.GetEncoding(28591);

        /// <summary>Append text as docs/spec/line.md escapes it; half of a surrogate pair as the three bytes that it would be.</summary>
        public static void Escape(string text, bool isValue, List<byte> bytes)
        {
            for (int i = 0; i < text.Length; i++)
            {
                char c = text[i];
                if (c == '\\')
                    Ascii(isValue ? @"\\\\" : @"\\", bytes);
                else if (c == '\n')
                    Ascii(isValue ? @"\\n" : @"\n", bytes);
                else if (isValue && (c == '"' || c == ']'))
                    Ascii("\\" + c, bytes);
                else if (c < ' ' || c == '\x7f')
                    Hex(c, isValue, bytes);
                else if (c >= '\x80' && c <= '\x9f')
                {
                    Hex(0xc2, isValue, bytes);
                    Hex(c, isValue, bytes);
                }
                else if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                    bytes.AddRange(Encoding.UTF8.GetBytes(text.Substring(i++, 2)));
                else if (char.IsSurrogate(c))
                {
                    Hex(0xe0 | c >> 12, isValue, bytes);
                    Hex(0x80 | c >> 6 & 0x3f, isValue, bytes);
                    Hex(0x80 | c & 0x3f, isValue, bytes);
                }
                else if (c < '\x80')
                    bytes.Add((byte)c);
                else
                    bytes.AddRange(Encoding.UTF8.GetBytes(c.ToString()));
            }
        }

        private static void Hex(int value, bool isValue, List<byte> bytes)
        {
            Ascii((isValue ? @"\\x" : @"\x") + value.ToString("x2", CultureInfo.InvariantCulture), bytes);
        }

        private static void Ascii(string text, List<byte> bytes)
        {
            foreach (char c in text)
                bytes.Add((byte)c);
        }
    }
}
