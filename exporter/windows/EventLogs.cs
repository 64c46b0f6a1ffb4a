// The event log of Windows. The only file that the tests cannot run: Mono has no event log. Keep it without decisions.

using System;
using System.Collections.Generic;
using System.Diagnostics.Eventing.Reader;
using System.Globalization;
using System.IO;

namespace Logchain
{
    /// <summary>Reads channels with EventLogReader and follows them with EventLogWatcher, from a bookmark on.</summary>
    public sealed class EventLogs : ILogs
    {
        private readonly List<EventLogWatcher> watchers = new List<EventLogWatcher>(); // so that none is collected

        public string TimeOf(string channel, long number)
        {
            using (EventRecord record = Find(channel, number))
                return record == null ? null : TimeOf(record);
        }

        public void Follow(string channel, long number, Action<Happened> happened)
        {
            EventBookmark bookmark = null;
            if (number > 0)
                using (EventRecord record = Find(channel, number))
                    bookmark = record == null ? null : record.Bookmark;
            try
            {
                var watcher = new EventLogWatcher(new EventLogQuery(channel, PathType.LogName), bookmark, bookmark == null);
                watchers.Add(watcher);
                watcher.EventRecordWritten += (sender, written) => Hand(channel, written, happened);
                watcher.Enabled = true; // what is there comes first, then what happens; one at a time
            }
            catch (EventLogException error)
            {
                throw new IOException(error.Message, error);
            }
            catch (UnauthorizedAccessException error)
            {
                throw new IOException(error.Message, error);
            }
        }

        private static EventRecord Find(string channel, long number)
        {
            string query = "*[System[EventRecordID=" + number.ToString(CultureInfo.InvariantCulture) + "]]";
            try
            {
                using (var reader = new EventLogReader(new EventLogQuery(channel, PathType.LogName, query)))
                    return reader.ReadEvent();
            }
            catch (EventLogException error) // also: no such channel, or no right to read it
            {
                throw new IOException(error.Message, error);
            }
            catch (UnauthorizedAccessException error)
            {
                throw new IOException(error.Message, error);
            }
        }

        private static void Hand(string channel, EventRecordWrittenEventArgs written, Action<Happened> happened)
        {
            if (written.EventRecord == null)
                Environment.Exit(3); // reading failed (EventException): the next call reads on from the cursor
            using (EventRecord record = written.EventRecord)
                happened(new Happened
                {
                    Channel = channel,
                    Number = record.RecordId ?? 0,
                    Time = TimeOf(record),
                    Xml = Rendered(record),
                    Message = Words(record),
                });
        }

        private static string TimeOf(EventRecord record)
        {
            return record.TimeCreated.HasValue ? record.TimeCreated.Value.ToUniversalTime().ToString("o", CultureInfo.InvariantCulture) : "-";
        }

        // An event that cannot be rendered still has a line, with its number: else no later one would ever be reached.
        private static string Rendered(EventRecord record)
        {
            try
            {
                return record.ToXml();
            }
            catch (EventLogException error)
            {
                return "this event cannot be rendered: " + error.Message;
            }
        }

        private static string Words(EventRecord record)
        {
            try
            {
                return record.FormatDescription() ?? "";
            }
            catch (EventLogException)
            {
                return ""; // its provider is gone, or has no text for it: the fields are in the line all the same
            }
        }
    }
}
