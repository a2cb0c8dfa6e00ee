package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v4"

	"github.com/plimsoll-dev/plimsoll/sdk/blackbox/convert"
)

func newConvert() *cobra.Command {
	var from, vars string
	var options convert.GossOptions
	cmd := &cobra.Command{
		Use:   "convert FILE",
		Short: "Make a feature of a test file of container-structure-test or goss",
		Long: `Make a feature of a test file of another image tester. The feature goes to standard output; what could not be kept is
named on standard error, with its line and the reason, and makes the exit code 1.`,
		Example: `  plimsoll convert --from structure-test tests/image.yaml > features/image.feature
  plimsoll convert --from goss goss.yaml > features/goss.feature
  plimsoll convert --from goss --vars vars.yaml --env OS=debian goss.yaml > features/goss.feature`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return err
			}
			if vars != "" {
				text, err := os.ReadFile(vars)
				if err != nil {
					return err
				}
				if err := yaml.Unmarshal(text, &options.Vars); err != nil {
					return fmt.Errorf("%s: %w", vars, err)
				}
			}
			converted, err := convertFrom(from, args[0], data, options)
			if err != nil {
				return err
			}
			if _, err := cmd.OutOrStdout().Write(converted.Feature); err != nil {
				return err
			}
			for _, left := range converted.Left {
				fmt.Fprintln(cmd.ErrOrStderr(), left)
			}
			if len(converted.Left) > 0 {
				return &incompleteError{kept: converted.Kept, left: len(converted.Left)}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&from, "from", "structure-test", "what the file is for: structure-test or goss")
	cmd.Flags().StringVar(&vars, "vars", "", "YAML file with the .Vars of a gossfile that is a template")
	cmd.Flags().StringToStringVar(&options.Env, "env", nil, "the .Env of a gossfile that is a template, NAME=VALUE")
	return cmd
}

func convertFrom(from, name string, data []byte, options convert.GossOptions) (*convert.Converted, error) {
	switch from {
	case "structure-test":
		return convert.StructureTest(name, data)
	case "goss":
		return convert.Goss(name, data, options)
	default:
		return nil, fmt.Errorf("--from %q is neither structure-test nor goss", from)
	}
}

// incompleteError is an answer, not a failure to work: the exit code is 1.
type incompleteError struct{ kept, left int }

func (e *incompleteError) Error() string {
	return fmt.Sprintf("%d assertions were kept, %d could not be", e.kept, e.left)
}
