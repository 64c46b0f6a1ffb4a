// Which line of a session is which event: what makes each event stored exactly once. No I/O.
//
// The collector counts lines, Windows numbers the events of a channel. A run is events that follow each other in one
// channel; a session is a row of runs, written down before its lines are sent. So "N lines are stored" is a number in
// each channel.
//
//     logchain cursor v1
//     session 9f81ca46d2e0b7a1 03aa51c0ffee0042 128   the session, the one before it, its lines that no run tells of
//     place   5001 2026-11-23T03:45:00.1234567Z Security          acknowledged up to here
//     run     5002 5010 2026-11-23T03:45:01.7654321Z Security     sent, or about to be
//     skip    5011 5012 2026-11-23T03:45:02.7654321Z Security     left out
//     said    <44>1 ...                                             a line of the exporter's own

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Text;

namespace Logchain
{
    /// <summary>An event of a channel: its number, and its time, to know it again; "-" where that is not known.</summary>
    public sealed class Place
    {
        public readonly long Number;
        public readonly string Time;

        public Place(long number, string time)
        {
            Number = number;
            Time = time;
        }
    }

    /// <summary>Where every channel stands, and what of this session is not acknowledged.</summary>
    public sealed class Cursor
    {
        private enum Kind
        {
            Run,
            Skip,
            Said,
        }

        private sealed class Part
        {
            public Kind Kind;
            public string Channel = ""; // of a line of ours: which it is about, if any
            public long First;
            public Place Last; // of a line of ours: where the channel stands behind it; null, at its beginning
            public string Text = "";

            public long Lines
            {
                get { return Kind == Kind.Skip ? 0 : Kind == Kind.Said ? 1 : Last.Number - First + 1; }
            }
        }

        private readonly Dictionary<string, Place> places = new Dictionary<string, Place>();
        private readonly LinkedList<Part> parts = new LinkedList<Part>();
        private readonly Dictionary<string, Place> now = new Dictionary<string, Place>(); // behind all parts
        private string session = "", before = "";
        private long acknowledged;

        /// <summary>Whether something was acknowledged, or left out, since the text was last asked for.</summary>
        public bool Changed { get; private set; }

        /// <summary>Where a channel stands behind all that was sent; null if nothing of it was.</summary>
        public Place At(string channel)
        {
            Place place;
            return now.TryGetValue(channel, out place) ? place : null;
        }

        /// <summary>Count an event that is sent, or left out.</summary>
        public void Add(Happened happened, bool sent)
        {
            Kind kind = sent ? Kind.Run : Kind.Skip;
            var place = new Place(happened.Number, happened.Time);
            Part last = parts.Last == null ? null : parts.Last.Value;
            if (last != null && last.Kind == kind && last.Channel == happened.Channel && last.Last.Number + 1 == place.Number)
                last.Last = place;
            else
                parts.AddLast(new Part { Kind = kind, Channel = happened.Channel, First = place.Number, Last = place });
            now[happened.Channel] = place;
            Acknowledge(acknowledged); // what is left out in front of all lines needs none
            Changed = true;
        }

        /// <summary>Count a line of our own; where it is about a channel, that stands at `place` behind it.</summary>
        public void Say(string text, string channel = "", Place place = null)
        {
            parts.AddLast(new Part { Kind = Kind.Said, Text = text, Channel = channel, Last = place });
            Put(now, channel, place);
        }

        /// <summary>Forget what is durable: so many lines of this session.</summary>
        public void Acknowledge(long lines)
        {
            while (parts.First != null)
            {
                Part part = parts.First.Value;
                long left = lines - acknowledged;
                if (left < part.Lines)
                {
                    if (left > 0)
                    {
                        part.First += left;
                        places[part.Channel] = new Place(part.First - 1, "-");
                        acknowledged += left;
                        Changed = true;
                    }
                    return;
                }
                acknowledged += part.Lines;
                Put(places, part.Channel, part.Last);
                parts.RemoveFirst();
                Changed = true;
            }
        }

        /// <summary>
        /// Begin a session where the last one ended. Return our own lines to send first, as event and words;
        /// the texts that were said before and not stored are in the cursor again, and come from Unsent.
        /// </summary>
        public List<KeyValuePair<string, string>> Resume(Greeting greeting)
        {
            var said = new List<KeyValuePair<string, string>>();
            long? stored = session == "" ? 0 : greeting.Stored(session, before);
            if (stored == null)
                said.Add(Words("unknown", "too many sessions came in between: events may come twice"));
            else if (stored < acknowledged)
                said.Add(Words("lost", acknowledged - stored + " lines that were acknowledged are no longer in the store"));
            else
            {
                Acknowledge(stored.Value);
                if (stored > acknowledged)
                    said.Add(Words("unknown", "the store has more lines of this exporter than it sent"));
            }
            var unsent = new List<Part>();
            foreach (Part part in parts)
                if (part.Kind == Kind.Said && part.Channel == "") // what is about a channel is found again
                    unsent.Add(part);
            parts.Clear();
            unsent.ForEach(part => parts.AddLast(part));
            now.Clear();
            foreach (KeyValuePair<string, Place> place in places)
                now[place.Key] = place.Value;
            session = greeting.Session;
            before = greeting.Newest;
            acknowledged = 0;
            return said;
        }

        /// <summary>The lines of our own that are in the cursor and were not stored, right after Resume.</summary>
        public List<string> Unsent()
        {
            var texts = new List<string>();
            foreach (Part part in parts)
                texts.Add(part.Text);
            return texts;
        }

        /// <summary>How many numbers lie between the channel's last event and this one; less than 0 if they begin anew.</summary>
        public long Missing(Happened happened)
        {
            Place place = At(happened.Channel);
            return place == null ? 0 : happened.Number - place.Number - 1;
        }

        /// <summary>Return what is to be durable before the lines are sent.</summary>
        public string Text()
        {
            Changed = false;
            var text = new StringBuilder("logchain cursor v1\n");
            Row(text, "session", session, before, acknowledged);
            foreach (KeyValuePair<string, Place> place in places)
                Row(text, "place", place.Value.Number, place.Value.Time, place.Key);
            foreach (Part part in parts)
                if (part.Kind != Kind.Said)
                    Row(text, part.Kind == Kind.Run ? "run" : "skip", part.First, part.Last.Number, part.Last.Time, part.Channel);
                else
                    Row(text, "said", part.Last == null ? 0 : part.Last.Number, part.Last == null ? "-" : part.Last.Time, part.Channel, part.Text);
            return text.ToString();
        }

        /// <summary>Read back what Text gave; throw FormatException if it is something else.</summary>
        public static Cursor Read(string text)
        {
            string[] rows = text.Split('\n');
            if (rows[0] != "logchain cursor v1")
                throw new FormatException("this is no cursor of logchain");
            var cursor = new Cursor();
            for (int i = 1; i < rows.Length - 1; i++)
                cursor.ReadRow(rows[i].Split('\t'));
            return cursor;
        }

        private void ReadRow(string[] row)
        {
            if (row[0] == "session" && row.Length == 4)
            {
                session = row[1];
                before = row[2];
                acknowledged = Long(row[3]);
            }
            else if (row[0] == "place" && row.Length == 4)
                Put(places, row[3], new Place(Long(row[1]), row[2]));
            else if ((row[0] == "run" || row[0] == "skip") && row.Length == 5)
                parts.AddLast(new Part
                {
                    Kind = row[0] == "run" ? Kind.Run : Kind.Skip,
                    First = Long(row[1]),
                    Last = new Place(Long(row[2]), row[3]),
                    Channel = row[4],
                });
            else if (row[0] == "said" && row.Length == 5)
                parts.AddLast(new Part
                {
                    Kind = Kind.Said,
                    Last = row[1] == "0" ? null : new Place(Long(row[1]), row[2]),
                    Channel = row[3],
                    Text = row[4],
                });
            else
                throw new FormatException("this is no row of a cursor");
        }

        private static KeyValuePair<string, string> Words(string what, string words)
        {
            return new KeyValuePair<string, string>(what, words);
        }

        private static void Put(Dictionary<string, Place> where, string channel, Place place)
        {
            if (place != null)
                where[channel] = place;
            else
                where.Remove(channel);
        }

        private static void Row(StringBuilder text, params object[] fields)
        {
            text.Append(string.Join("\t", Array.ConvertAll(fields, field => Convert.ToString(field, CultureInfo.InvariantCulture))));
            text.Append('\n');
        }

        private static long Long(string digits)
        {
            return long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
        }
    }
}
