// The part of System.Diagnostics.Eventing.Reader that EventLogs.cs uses, as Microsoft documents it, and empty: so that
// the compiler can read that file where there is no Windows. It proves nothing about Windows.

namespace System.Diagnostics.Eventing.Reader
{
    public enum PathType { LogName = 1, FilePath = 2 }
    public class EventLogException : Exception { }
    public class EventBookmark { internal EventBookmark() { } }
    public class EventLogQuery
    {
        public EventLogQuery(string path, PathType pathType) { }
        public EventLogQuery(string path, PathType pathType, string query) { }
    }
    public abstract class EventRecord : IDisposable
    {
        public abstract long? RecordId { get; }
        public abstract DateTime? TimeCreated { get; }
        public abstract EventBookmark Bookmark { get; }
        public abstract string ToXml();
        public abstract string FormatDescription();
        public void Dispose() { }
    }
    public class EventLogReader : IDisposable
    {
        public EventLogReader(EventLogQuery eventQuery) { }
        public EventRecord ReadEvent() { return null; }
        public void Dispose() { }
    }
    public sealed class EventRecordWrittenEventArgs : EventArgs
    {
        public EventRecord EventRecord { get { return null; } }
        public Exception EventException { get { return null; } }
    }
    public class EventLogWatcher : IDisposable
    {
        public EventLogWatcher(EventLogQuery eventQuery, EventBookmark bookmark, bool readExistingEvents) { }
        public bool Enabled { get; set; }
        public event EventHandler<EventRecordWrittenEventArgs> EventRecordWritten { add { } remove { } }
        public void Dispose() { }
    }
}
