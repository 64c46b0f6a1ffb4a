// What the collector says, bytes to values (docs/spec/wire.md). No I/O.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Logchain
{
    /// <summary>The collector said what it must not, or ended the call: call again later.</summary>
    public sealed class CallEnded : Exception
    {
        public CallEnded(string words) : base(words) { }
    }

    /// <summary>The collector's first line: this session, and what earlier ones stored, newest first.</summary>
    public sealed class Greeting
    {
        public string Session;
        public readonly List<KeyValuePair<string, long>> Resume = new List<KeyValuePair<string, long>>();

        /// <summary>The last session that stored a line before this one; empty if there is none.</summary>
        public string Newest
        {
            get { return Resume.Count == 0 ? "" : Resume[0].Key; }
        }

        /// <summary>How many lines of a session of ours are durable; null if that cannot be told.</summary>
        public long? Stored(string session, string newestBefore)
        {
            foreach (KeyValuePair<string, long> one in Resume)
                if (one.Key == session)
                    return one.Value;
            // The list is without gaps: it stored nothing if the list is not full, or reaches back to before it.
            bool reachesBack = Resume.Exists(one => one.Key == newestBefore);
            return Resume.Count < 8 || reachesBack ? (long?)0 : null;
        }
    }

    /// <summary>Turns the collector's bytes into a greeting and numbers of durable lines, however they are split.</summary>
    public sealed class Incoming
    {
        private const int MaxLine = 1024; // bytes, without the newline
        private const string Number = "(0|[1-9][0-9]{0,18})";
        private static readonly Regex Hello = new Regex(@"\Alogchain/1 session=([0-9a-f]{16}) resume=(.*)\z", RegexOptions.CultureInvariant);
        private static readonly Regex One = new Regex(@"\A([0-9a-f]{16}):" + Number + @"\z", RegexOptions.CultureInvariant);
        private static readonly Regex Okay = new Regex(@"\Aok " + Number + @"\z", RegexOptions.CultureInvariant);
        private static readonly Regex Refusal = new Regex(@"\A(busy|full|error [ -~]{1,200})\z", RegexOptions.CultureInvariant);

        private readonly StringBuilder rest = new StringBuilder();

        public Greeting Greeting; // null before it came
        public long Acknowledged; // lines of this session that are durable

        /// <summary>Take what has come; throw CallEnded at the first thing that must not be, or at the collector's last word.</summary>
        public void Feed(byte[] untrustedData, int count)
        {
            for (int i = 0; i < count; i++)
            {
                if (untrustedData[i] != '\n')
                    rest.Append((char)untrustedData[i]);
                if (rest.Length > MaxLine)
                    throw new CallEnded("the collector's line is too long");
                if (untrustedData[i] != '\n')
                    continue;
                string line = rest.ToString();
                rest.Clear();
                Hear(line);
            }
        }

        private void Hear(string untrustedLine)
        {
            if (Refusal.IsMatch(untrustedLine))
                throw new CallEnded("the collector says: " + untrustedLine);
            if (Greeting == null)
            {
                Greeting = Greet(untrustedLine);
                return;
            }
            Match match = Okay.Match(untrustedLine);
            if (!match.Success)
                throw new CallEnded("the collector's line is neither ok, busy, full nor error");
            long lines = Parse(match.Groups[1].Value);
            if (lines < Acknowledged)
                throw new CallEnded("the collector took an ok back");
            Acknowledged = lines;
        }

        private static Greeting Greet(string untrustedLine)
        {
            Match match = Hello.Match(untrustedLine);
            if (!match.Success)
                throw new CallEnded("no greeting of logchain/1 came");
            var greeting = new Greeting();
            greeting.Session = match.Groups[1].Value;
            string list = match.Groups[2].Value;
            var seen = new HashSet<string>();
            seen.Add(greeting.Session);
            foreach (string untrustedOne in list == "" ? new string[0] : list.Split(','))
            {
                Match one = One.Match(untrustedOne);
                if (!one.Success || greeting.Resume.Count == 8)
                    throw new CallEnded("no greeting of logchain/1 came");
                if (!seen.Add(one.Groups[1].Value))
                    throw new CallEnded("the greeting names a session twice");
                greeting.Resume.Add(new KeyValuePair<string, long>(one.Groups[1].Value, Parse(one.Groups[2].Value)));
            }
            return greeting;
        }

        private static long Parse(string digits)
        {
            long number;
            if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number))
                throw new CallEnded("the collector's number is too large");
            return number;
        }
    }
}
