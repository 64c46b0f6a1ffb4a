// Two files, written in turn, so that one of them is whole whenever the machine stops.

using System;
using System.Globalization;
using System.IO;
using System.Security.Cryptography;
using System.Text;

namespace Logchain
{
    /// <summary>Keeps a text durably: cursor.0 and cursor.1, the newer one that is whole counts.</summary>
    public sealed class Slots
    {
        private readonly string directory;
        private long generation;

        public Slots(string directory)
        {
            this.directory = directory;
        }

        /// <summary>Return the text that was last saved whole; null if there is none.</summary>
        public string Load()
        {
            string newest = null;
            for (int slot = 0; slot < 2; slot++)
            {
                long number;
                string text = Whole(Path(slot), out number);
                if (text == null || (newest != null && number < generation))
                    continue;
                newest = text;
                generation = number;
            }
            return newest;
        }

        /// <summary>Return when the text is on the disk.</summary>
        public void Save(string text)
        {
            generation++;
            string body = generation.ToString(CultureInfo.InvariantCulture) + "\n" + text;
            byte[] bytes = Encoding.UTF8.GetBytes(Sum(body) + "\n" + body);
            using (var file = new FileStream(Path((int)(generation % 2)), FileMode.Create, FileAccess.Write, FileShare.Read))
            {
                file.Write(bytes, 0, bytes.Length);
                file.Flush(true);
            }
        }

        private string Path(int slot)
        {
            return System.IO.Path.Combine(directory, "cursor." + slot);
        }

        private static string Whole(string path, out long number)
        {
            number = 0;
            if (!File.Exists(path))
                return null;
            string[] parts = Encoding.UTF8.GetString(File.ReadAllBytes(path)).Split(new[] { '\n' }, 3);
            bool isWhole = parts.Length == 3 && parts[0] == Sum(parts[1] + "\n" + parts[2]);
            return isWhole && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out number) ? parts[2] : null;
        }

        private static string Sum(string body)
        {
            using (SHA256 sha = SHA256.Create())
                return BitConverter.ToString(sha.ComputeHash(Encoding.UTF8.GetBytes(body))).Replace("-", "").ToLowerInvariant();
        }
    }
}
